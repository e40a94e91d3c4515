//! Tests of the cleaner.

use proptest::prelude::*;

use super::*;

/// What must never be shown, written down apart from the code.
fn is_dangerous(c: char) -> bool {
    matches!(c,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}')
}

#[test]
fn ordinary_text_is_borrowed_unchanged() {
    for text in [
        "",
        "Hello, World! ~/[]{}",
        "Grüße, žluťoučký kůň, Ελληνικά, Русский",
        "e\u{301} o\u{302}\u{323} decomposed",
        "שָׁלוֹם בְּרֵאשִׁ֖ית",
        "العربية مُحَمَّد می\u{200c}خواهم",
        "हिन्दी क्\u{200d}ष বাংলা தமிழ் മലയാളം ന്\u{200d}",
        "ภาษาไทย ที่นี่ ខ្មែរ བསྒྲུབས",
        "中文 葛\u{e0100} 日本語 か\u{3099} 한국어 \u{1112}\u{1161}\u{11ab}",
        "👍🏽 👨\u{200d}👩\u{200d}👧 ❤\u{fe0f}\u{200d}🔥 🏳\u{fe0f}\u{200d}🌈 🇩🇪 1\u{fe0f}\u{20e3} ⏎",
        "ᠮᠣᠩᠭᠣᠯ\u{180b} ᠠ\u{180e}",
        "∑ ∀x ∈ ℝ − “quoted” … a\u{a0}b\u{3000}c",
        "\u{e0b0} private use of some fonts",
    ] {
        for cleaned in [clean(text), clean_line(text), clean_block(text, "  ")] {
            assert!(
                matches!(cleaned, Cow::Borrowed(same) if same == text),
                "{text:?} became {cleaned:?}"
            );
        }
    }
}

#[test]
fn attacks_are_shown_as_what_they_are() {
    let shown = |text: &str| format!("{}\n", clean_line(text));
    insta::assert_snapshot!([
        shown("colours \x1b[31mred\x1b[0m and a title \x1b]0;root\x07"),
        shown("one byte \u{9b}31m and \u{9d}0;x\u{9c}, delete \u{7f}, back \x08\x08"),
        shown("over \r the line, and \x0b\x0c down"),
        shown("a\nbob: fake\r\ncarol: fake\u{2028}dave: fake\u{85}erin: fake"),
        shown("turned \u{202e}gnp.exe\u{202c} and \u{2066}isolated\u{2069} \u{61c}\u{200e}"),
        shown("hid\u{200b}den \u{2063}\u{feff}\u{ad} and tags \u{e0068}\u{e0069} and \u{fff9}notes\u{fffb}"),
        shown("tab\tis a blank"),
        shown(&format!("zalgo a{}b{}", "\u{301}\u{35c}".repeat(20), "\u{330}".repeat(5))),
        shown("\u{301}\u{302} on nothing"),
        shown("joiners \u{200d}alone, a\u{200d}b in ASCII, \u{915}\u{94d}\u{200d}\u{200d}\u{937} doubled"),
        shown("\u{fe0f}selectors a\u{fe0f} and 👍\u{fe0f}\u{fe0f}\u{e0101}\u{e0102}"),
        shown("nothing \u{3164}\u{115f}\u{ffa0} to see, \u{fffe}\u{fdd0}\u{10ffff}"),
    ].concat(), @r#"
    colours �[31mred�[0m and a title �]0;root�
    one byte �31m and �0;x�, delete �, back ��
    over � the line, and �� down
    a ⏎ bob: fake ⏎ carol: fake�dave: fake�erin: fake
    turned �gnp.exe� and �isolated� ��
    hid�den ��� and tags �� and �notes�
    tab is a blank
    zalgo á́́͜͜�b̰̰̰̰̰
    � on nothing
    joiners �alone, a�b in ASCII, क्‍�ष doubled
    �selectors a� and 👍️���
    nothing ��� to see, ���
    "#);
}

#[test]
fn a_block_stands_apart() {
    let text = "first\nbob: second\r\n\n\u{301}last\r";
    insta::assert_snapshot!(clean_block(text, "    | "), @r#"
    first
        | bob: second
        | 
        | �last�
    "#);
    assert_eq!(clean("a\r\nb"), "a\u{fffd}\u{fffd}b");
}

#[test]
fn of_a_long_text_the_start_is_shown() {
    assert_eq!(clean_start("äöü", 3), "äöü");
    assert_eq!(clean_start("äöüß", 3), "äöü…");
    assert_eq!(clean_start("\x1b\n", 3), "\u{fffd} ⏎ ");
    assert_eq!(clean_start("a", 0), "…");
    assert_eq!(clean_start("", 0), "");
}

/// Characters that tests of arbitrary strings would rarely hit, and never in a row.
fn nasty() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => prop::char::range('\0', '\u{a0}'),
        2 => prop::char::range('\u{300}', '\u{36f}'),
        3 => prop::char::range('\u{2000}', '\u{2070}'),
        1 => prop::char::range('\u{600}', '\u{6ff}'),
        1 => prop::char::range('\u{1100}', '\u{11ff}'),
        1 => prop::char::range('\u{1800}', '\u{1810}'),
        1 => prop::char::range('\u{fdd0}', '\u{fe10}'),
        1 => prop::char::range('\u{fff0}', '\u{10000}'),
        1 => prop::char::range('\u{1f468}', '\u{1f469}'),
        1 => prop::char::range('\u{e0000}', '\u{e01ff}'),
        3 => prop::sample::select(vec![
            '\n', '\r', '\t', '\x1b', 'a', '1', ' ', '\u{200c}', '\u{200d}', '\u{fe0f}', '\u{301}', '\u{fffd}', '\u{915}',
            '\u{94d}',
        ]),
    ];
    prop::collection::vec(character, 0..40).prop_map(String::from_iter)
}

fn check(text: &str) -> Result<(), TestCaseError> {
    for (cleaned, again) in [
        (clean(text), clean(&clean(text))),
        (clean_line(text), clean_line(&clean_line(text))),
    ] {
        prop_assert_eq!(&cleaned, &again);
        prop_assert!(!cleaned.contains(is_dangerous), "{:?}", cleaned);
        check_attached(&cleaned)?;
    }
    let block = clean_block(text, "> ");
    for (number, line) in block.split('\n').enumerate() {
        prop_assert!(!line.contains(is_dangerous), "{:?}", line);
        let own = if number == 0 {
            Some(line)
        } else {
            line.strip_prefix("> ")
        };
        prop_assert!(own.is_some(), "{:?}", block);
        check_attached(own.unwrap_or_default())?;
    }
    let flush = clean_block(text, "");
    prop_assert_eq!(&clean_block(&flush, ""), &flush);
    Ok(())
}

/// Nothing that attaches itself stands at the start, and no base bears more than it may.
fn check_attached(line: &str) -> Result<(), TestCaseError> {
    let mut attached = ATTACHED_MAX;
    let mut last = ' ';
    for c in line.chars() {
        let is_joiner = |c| matches!(c, '\u{200c}' | '\u{200d}');
        prop_assert!(!(is_joiner(c) && is_joiner(last)), "{:?}", line);
        last = c;
        if c.width() == Some(0) {
            attached += 1;
            prop_assert!(attached <= ATTACHED_MAX, "{:?}", line);
        } else {
            attached = 0;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_made_safe(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn nasty_text_is_made_safe(text in nasty()) {
        check(&text)?;
    }

    #[test]
    fn lines_of_letters_are_kept(text in "[a-zäöüßа-яא-תก-ฮ一-龠가-힣 ]{0,40}") {
        prop_assert_eq!(clean(&text), text.as_str());
    }
}
