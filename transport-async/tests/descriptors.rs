//! Running out of descriptors, and losing none. The limit is the whole process's, so this is a test binary of its own.

simplechat_conformance::descriptors!(
    simplechat_transport_async::Driver<simplechat_conformance::Toy>
);
