//! Reading header values piece by piece (RFC 9110 section 5.6).

/// What is left of a header value.
#[derive(Debug, Clone, Copy)]
pub struct Scanner<'t>(&'t str);

impl<'t> Scanner<'t> {
    pub const fn new(text: &'t str) -> Self {
        Self(text)
    }

    pub const fn rest(&self) -> &'t str {
        self.0
    }

    pub const fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes spaces and tabs; says whether there were any.
    pub fn space(&mut self) -> bool {
        let before = self.0.len();
        self.0 = self.0.trim_start_matches([' ', '\t']);
        self.0.len() < before
    }

    /// Takes one character where it comes next.
    pub fn take(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Takes characters as long as they are `wanted`; `None` where there is none.
    pub fn run(&mut self, wanted: impl Fn(u8) -> bool) -> Option<&'t str> {
        let end = self.0.bytes().position(|b| !wanted(b)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at_checked(end)?;
        if run.is_empty() {
            return None;
        }
        self.0 = rest;
        Some(run)
    }

    /// Takes a token.
    pub fn token(&mut self) -> Option<&'t str> {
        self.run(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
    }

    /// Takes a quoted string or a token; `None` where neither comes or the quotes do not end.
    pub fn word(&mut self) -> Option<String> {
        if !self.take('"') {
            return self.token().map(str::to_owned);
        }
        let mut word = String::new();
        let mut characters = self.0.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.0 = self.0.get(at + 1..)?;
                    return Some(word);
                }
                '\\' => word.push(characters.next()?.1),
                other => word.push(other),
            }
        }
        None
    }
}
