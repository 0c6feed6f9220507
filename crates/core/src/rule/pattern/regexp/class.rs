//! What is between square brackets.

use super::super::char_set::{CharSet, lower_case};
use super::PatternError;
use super::escape::Category;
use super::parser::Parser;

/// The members of a class, as they are read.
#[derive(Default)]
struct Class {
    ranges: Vec<(char, char)>,
    ascii: CharSet,
    categories: Vec<Category>,
    has_everything: bool,
    subtracted: Option<CharSet>,
}

impl Class {
    fn add_category(&mut self, added: Category) {
        match self.categories.iter().find(|category| category.name == added.name) {
            Some(category) => self.has_everything |= category.negated != added.negated,
            None => self.categories.push(added),
        }
    }

    /// `[:name:]`; false when there is none of that name.
    fn add_posix(&mut self, name: &str, negated: bool) -> bool {
        let letters = CharSet::range('a', 'z').union(CharSet::range('A', 'Z'));
        let set = match name {
            "digit" => {
                self.categories_of(Category::short(if negated { 'D' } else { 'd' }));
                return true;
            }
            "alnum" => letters.union(CharSet::DIGIT),
            "alpha" => letters,
            "ascii" => CharSet::ALL,
            "blank" => CharSet::of('\t').union(CharSet::of(' ')),
            "cntrl" => CharSet::range('\0', '\x1f').union(CharSet::of('\x7f')),
            "graph" => CharSet::range('!', '~'),
            "lower" => CharSet::range('a', 'z'),
            "print" => CharSet::range(' ', '~'),
            "punct" => CharSet::range('!', '~').intersection(letters.union(CharSet::DIGIT).complement()),
            "space" => CharSet::SPACE,
            "upper" => CharSet::range('A', 'Z'),
            "word" => CharSet::WORD,
            "xdigit" => CharSet::DIGIT.union(CharSet::range('a', 'f')).union(CharSet::range('A', 'F')),
            _ => return false,
        };
        self.ascii = self.ascii.union(if negated { set.complement() } else { set });
        true
    }

    fn categories_of(&mut self, categories: impl IntoIterator<Item = Category>) {
        categories.into_iter().for_each(|category| self.add_category(category));
    }

    fn finish(self, negated: bool, ignore_case: bool) -> CharSet {
        let mut set = self.ascii;
        for (low, high) in self.ranges {
            set = set.union(CharSet::range(low, high));
            if ignore_case {
                // Characters outside of ASCII whose lower-case form is inside.
                let dotted_i = (low..=high).contains(&'\u{130}').then_some('i');
                let alone = (low == high).then(|| lower_case(low));
                set = dotted_i.into_iter().chain(alone).fold(set, |set, c| set.union(CharSet::of(c)));
            }
        }
        if ignore_case {
            set = set.with_lower_case();
        }
        set = set.union(members(self.categories));
        if self.has_everything {
            set = CharSet::ALL;
        }
        if negated {
            set = set.complement();
        }
        self.subtracted.map_or(set, |subtracted| set.intersection(subtracted.complement()))
    }
}

/// The members of several categories together. As in the reference, a negated one has the last word:
/// `[\W\d]` holds no digit.
pub(super) fn members(categories: impl IntoIterator<Item = Category>) -> CharSet {
    let mut set = CharSet::NONE;
    for category in categories {
        if category.negated {
            let open = set.complement();
            return set.union(open.intersection(category.members.complement()));
        }
        set = set.union(category.members);
    }
    set
}

impl Parser {
    /// A class, after its `[`.
    pub(super) fn class(&mut self, ignore_case: bool) -> Result<CharSet, PatternError> {
        let negated = self.cursor.eat("^");
        let mut class = Class::default();
        let mut range_from: Option<Option<char>> = None;
        let mut is_first = true;
        loop {
            let Some(c) = self.cursor.next() else {
                return Err(PatternError("a `[` is not closed".to_owned()));
            };
            let was_first = std::mem::replace(&mut is_first, false);
            let mut member = Some(c);
            let mut is_escaped = false;
            match c {
                ']' if !was_first => return Ok(class.finish(negated, ignore_case)),
                '\\' if self.cursor.peek().is_some() => {
                    if self.class_category(&mut class, range_from.is_some(), ignore_case)? {
                        continue;
                    }
                    member = self.escaped_char()?;
                    is_escaped = true;
                }
                '[' if range_from.is_none() && self.cursor.peek() == Some(':') && self.posix(&mut class)? => continue,
                _ => {}
            }
            let starts_subtraction = member == Some('[') && !is_escaped && !was_first;
            match range_from.take() {
                Some(from) if starts_subtraction => {
                    class.ranges.extend(from.map(|from| (from, from)));
                    self.subtraction(&mut class, ignore_case)?;
                }
                Some(from) => class.ranges.extend(range(from, member)?),
                None if self.cursor.peek() == Some('-') && !matches!(self.cursor.peek_at(1), None | Some(']')) => {
                    self.cursor.next();
                    range_from = Some(member);
                }
                None if member == Some('-') && !is_escaped && !was_first && self.cursor.eat("[") => {
                    self.subtraction(&mut class, ignore_case)?;
                }
                None => class.ranges.extend(member.map(|member| (member, member))),
            }
        }
    }

    /// An escape that stands for several characters, or for a hyphen; false leaves it.
    fn class_category(&mut self, class: &mut Class, in_range: bool, ignore_case: bool) -> Result<bool, PatternError> {
        let Some(c) = self.cursor.peek() else { return Ok(false) };
        if c == '-' {
            self.cursor.next();
            class.ranges.push((c, c));
            return Ok(true);
        }
        let short = Category::short(c);
        if short.is_none() && !matches!(c, 'p' | 'P') {
            return Ok(false);
        }
        if in_range {
            return Err(PatternError(format!("`\\{c}` cannot end a range")));
        }
        self.cursor.next();
        match short {
            Some(category) => class.add_category(category),
            None => {
                let category = self.property(c == 'P')?;
                class.categories_of(category.expanded(ignore_case));
            }
        }
        Ok(true)
    }

    /// `[:name:]`, at its colon; false when it is no such thing after all.
    fn posix(&mut self, class: &mut Class) -> Result<bool, PatternError> {
        let start = self.cursor.position();
        self.cursor.next();
        let negated = self.cursor.left() > 1 && self.cursor.eat("^");
        let name = self.cursor.name();
        if !class.add_posix(&name, negated) {
            return Err(PatternError(format!("there is no class `[:{name}:]`")));
        }
        let is_closed = self.cursor.eat(":]");
        if !is_closed {
            self.cursor.rewind(start);
        }
        Ok(is_closed)
    }

    /// The class of `-[...]`, after its `[`. It must be the last member.
    fn subtraction(&mut self, class: &mut Class, ignore_case: bool) -> Result<(), PatternError> {
        class.subtracted = Some(self.nested(|parser| parser.class(ignore_case))?);
        match self.cursor.peek() {
            None | Some(']') => Ok(()),
            Some(_) => Err(PatternError("a subtraction must be the last member of a class".to_owned())),
        }
    }
}

/// Ends that are no scalar values cannot occur in a subject.
fn range(from: Option<char>, to: Option<char>) -> Result<Option<(char, char)>, PatternError> {
    match (from, to) {
        (Some(from), Some(to)) if from > to => {
            Err(PatternError(format!("the range `{}-{}` is upside down", from.escape_default(), to.escape_default())))
        }
        (Some(from), Some(to)) => Ok(Some((from, to))),
        (Some(from), None) => Ok(Some((from, char::MAX))),
        (None, _) => Ok(None),
    }
}
