//! Names of advisories for one test.

/// A test for each name of one flaw. What they have in common is played once, or once more where it failed.
#[macro_export]
macro_rules! same_flaw {
    ($rows:ident: $($name:ident),+ $(,)?) => {
        mod $rows {
            static PLAYED: std::sync::OnceLock<()> = std::sync::OnceLock::new();
            $(
                #[test]
                fn $name() {
                    PLAYED.get_or_init(super::$rows);
                }
            )+
        }
    };
}
