//! Texts with `*` (any characters) and `?` (one), as keys and queries have them.

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Debug, PartialEq, Eq)]
enum Piece {
    Any,
    One,
    Char(char),
}

impl Pattern {
    /// A backslash takes the meaning of what follows away.
    pub(super) fn compile(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            pieces.push(match char {
                '*' => Piece::Any,
                '?' => Piece::One,
                '\\' => Piece::Char(chars.next().unwrap_or('\\')),
                other => Piece::Char(other),
            });
        }
        Self(pieces)
    }

    /// Whether the whole text fits. Takes at most the product of both lengths.
    pub(super) fn fits(&self, text: &str) -> bool {
        let pieces = &self.0;
        let (mut at, mut rest) = (0, text.chars());
        // Where to go on when what followed the last `*` did not fit: the star takes one more character.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            if pieces.get(at) == Some(&Piece::Any) {
                at += 1;
                retry = Some((at, rest.clone()));
                continue;
            }
            let mut ahead = rest.clone();
            match (pieces.get(at), ahead.next()) {
                (None, None) => return true,
                (Some(piece), Some(char)) if *piece == Piece::One || *piece == Piece::Char(char) => {
                    at += 1;
                    rest = ahead;
                }
                (_, None) => return false,
                _ => {
                    let Some((after_star, from)) = &mut retry else { return false };
                    from.next();
                    at = *after_star;
                    rest = from.clone();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn stars_take_as_much_as_they_have_to() {
        let rows = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abcc", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("?", "é", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("a\\", "a\\", true),
            ("*a*a*a*a*a*a*a*a*b", &"a".repeat(2000), false),
        ];
        for (pattern, text, fits) in rows {
            assert_eq!(Pattern::compile(pattern).fits(text), fits, "{pattern} {text}");
        }
    }
}
