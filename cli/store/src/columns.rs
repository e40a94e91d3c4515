//! How values stand in the tables.

use std::net::IpAddr;

use rusqlite::Row;
use rusqlite::types::FromSql;
use simplechat_core::name::Name;
use simplechat_core::server::record::{QuestionState, Subject};
use simplechat_core::source::Source;
use simplechat_core::wire::Term;

use crate::error::Trouble;

/// A value of a row, of which the table is told if it makes no sense.
pub(crate) fn get<T: FromSql>(row: &Row<'_>, column: &str) -> Result<T, Trouble> {
    Ok(row.get(column)?)
}

pub(crate) fn name(row: &Row<'_>, column: &str, table: &str) -> Result<Name, Trouble> {
    let text: String = get(row, column)?;
    text.parse().map_err(|_| Trouble::nonsense(table))
}

pub(crate) fn address(row: &Row<'_>, column: &str, table: &str) -> Result<IpAddr, Trouble> {
    let text: String = get(row, column)?;
    text.parse().map_err(|_| Trouble::nonsense(table))
}

pub(crate) fn number(row: &Row<'_>, column: &str) -> Result<u64, Trouble> {
    Ok(get::<i64>(row, column)?.cast_unsigned())
}

pub(crate) fn bytes<const N: usize>(row: &Row<'_>, column: &str) -> Result<[u8; N], Trouble> {
    get(row, column)
}

/// A bound of the core as a number of SQL.
pub(crate) fn bound(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn source(from: IpAddr) -> String {
    Source::of(from).address().to_string()
}

pub(crate) const fn state_number(state: QuestionState) -> i64 {
    match state {
        QuestionState::Shown => 0,
        QuestionState::Hidden => HIDDEN,
        QuestionState::Agreed => 2,
    }
}

pub(crate) const HIDDEN: i64 = 1;

pub(crate) const fn state(number: i64) -> Option<QuestionState> {
    match number {
        0 => Some(QuestionState::Shown),
        HIDDEN => Some(QuestionState::Hidden),
        2 => Some(QuestionState::Agreed),
        _ => None,
    }
}

pub(crate) const fn term_number(term: Term) -> i64 {
    match term {
        Term::UntilLogout => 0,
        Term::Lasting => 1,
    }
}

pub(crate) const fn term(number: i64) -> Option<Term> {
    match number {
        0 => Some(Term::UntilLogout),
        1 => Some(Term::Lasting),
        _ => None,
    }
}

/// A subject's number, and whom it is about.
pub(crate) fn subject_columns(subject: &Subject) -> (i64, &str) {
    match subject {
        Subject::OwnQuestion(name) => (0, name.as_str()),
        Subject::Question(name) => (1, name.as_str()),
        Subject::Introduction(name) => (2, name.as_str()),
        Subject::Server => (3, ""),
        Subject::Addresses(name) => (4, name.as_str()),
        Subject::Mail(name) => (5, name.as_str()),
    }
}

pub(crate) fn subject(number: i64, about: &str) -> Option<Subject> {
    match number {
        0 => Some(Subject::OwnQuestion(about.parse().ok()?)),
        1 => Some(Subject::Question(about.parse().ok()?)),
        2 => Some(Subject::Introduction(about.parse().ok()?)),
        3 => Some(Subject::Server),
        4 => Some(Subject::Addresses(about.parse().ok()?)),
        5 => Some(Subject::Mail(about.parse().ok()?)),
        _ => None,
    }
}
