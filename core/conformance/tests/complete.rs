//! That the macros name every test there is.

use std::fs;
use std::path::Path;

#[test]
fn no_test_is_left_out() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let macros = fs::read_to_string(source.join("lib.rs")).unwrap();
    let mut tests = 0;
    for file in fs::read_dir(source.join("suite")).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines() {
            let name = line.strip_prefix("pub fn ");
            if let Some((name, _)) = name.and_then(|rest| rest.split_once("<D: Transport>()")) {
                assert!(macros.contains(&format!(" {name},")), "{name}");
                tests += 1;
            }
        }
    }
    assert!(tests > 50, "the tests are found: {tests}");
}
