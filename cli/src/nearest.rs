//! "Did you mean …?": the known word that is nearest to one that is not known.

/// Longer than any word of ours: what exceeds it is no typing error, and comparing would only take time.
const LEN_MAX: usize = 64;

/// The known word that somebody most likely meant, if one is near enough: about a third of its letters may be wrong.
/// Case does not count. Of equally near ones it is the first.
pub(crate) fn nearest<'a>(
    given: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if given.len() > LEN_MAX {
        return None;
    }
    let given = given.to_lowercase();
    known
        .into_iter()
        .map(|word| {
            let distance = strsim::damerau_levenshtein(&given, &word.to_lowercase());
            (distance, word)
        })
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WORDS: [&str; 4] = ["message", "block", "unblock", "online"];

    #[test]
    fn slips_are_understood_and_other_words_are_not() {
        assert_eq!(nearest("mesage", WORDS), Some("message"));
        assert_eq!(nearest("MESSAEG", WORDS), Some("message"));
        assert_eq!(nearest("blokc", WORDS), Some("block"));
        assert_eq!(nearest("onlien", WORDS), Some("online"));
        assert_eq!(nearest("quit", WORDS), None);
        assert_eq!(nearest("", WORDS), None);
        assert_eq!(nearest(&"message".repeat(100), WORDS), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(given in any::<String>()) {
            let _ = nearest(&given, WORDS);
        }
    }
}
