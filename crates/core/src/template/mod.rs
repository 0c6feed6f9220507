//! Go text/template, as far as rules use it.
