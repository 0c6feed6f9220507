//! tmp
use super::pattern::Pattern;
pub struct RuleIndex;
impl RuleIndex {
    pub fn build<'a>(_: impl IntoIterator<Item = (u32, &'a Pattern)>) -> Self {
        Self
    }
    pub fn candidates(&self, _: &str, _: impl FnMut(u32)) {}
}
