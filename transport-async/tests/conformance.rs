//! Everything that a driver has to do, done by this one.

simplechat_conformance::suite!(simplechat_transport_async::Driver<simplechat_conformance::Toy>);
