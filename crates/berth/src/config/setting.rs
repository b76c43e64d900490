//! What a setting is.

use serde_json::Value;

/// A type that settings have.
///
/// Values travel as JSON: strings, numbers, booleans and lists of them. Environment and flags give strings only, so each
/// kind reads those too.
pub trait Kind: Sized {
    /// Whether several values may be given: a TOML array, text with commas, a flag repeated.
    const IS_LIST: bool = false;
    /// Whether a flag without a value means `true`.
    const IS_SWITCH: bool = false;

    /// What a value looks like; ends the sentence "expected ...".
    fn expected() -> String;

    /// Reads a value from text.
    fn parse(text: &str) -> Option<Self>;

    /// Reads a value.
    fn read(value: &Value) -> Option<Self> {
        Self::parse(value.as_str()?)
    }

    /// The value as it is printed; [`read`](Self::read) gives it back.
    fn show(&self) -> Value;

    /// How much it is, where there is a least value that makes sense.
    fn magnitude(&self) -> u64 {
        u64::MAX
    }
}

/// Where a setting has a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flag {
    /// No flag.
    None,
    /// A flag of `berth serve` and `berth config`.
    Serve(&'static str),
    /// A flag of every command that reads the configuration.
    Everywhere(&'static str),
}

/// One setting of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its TOML section.
    pub section: &'static str,
    /// Its name within the section.
    pub name: &'static str,
    /// `section.name`.
    pub key: &'static str,
    /// What it does, in lines.
    pub doc: &'static [&'static str],
    /// Its default, as text that its kind reads.
    pub default: &'static str,
    /// Its flag.
    pub flag: Flag,
    /// The least value allowed.
    pub least: Option<&'static str>,
    /// Whether it is a list.
    pub is_list: bool,
    /// Whether its flag needs no value.
    pub is_switch: bool,
    expected: fn() -> String,
    canonical: fn(&Value, Option<&str>) -> Option<Value>,
}

impl Setting {
    /// A setting without flag or least value.
    pub const fn new<K: Kind>(
        section: &'static str,
        name: &'static str,
        key: &'static str,
        doc: &'static [&'static str],
        default: &'static str,
    ) -> Self {
        let (is_list, is_switch) = (K::IS_LIST, K::IS_SWITCH);
        let (flag, least, expected, canonical) = (Flag::None, None, K::expected, canonical::<K>);
        Self { section, name, key, doc, default, flag, least, is_list, is_switch, expected, canonical }
    }

    /// Gives it a flag of `serve`.
    #[must_use]
    pub const fn serve_flag(mut self, flag: &'static str) -> Self {
        self.flag = Flag::Serve(flag);
        self
    }

    /// Gives it a flag of every command.
    #[must_use]
    pub const fn flag_everywhere(mut self, flag: &'static str) -> Self {
        self.flag = Flag::Everywhere(flag);
        self
    }

    /// Refuses values below `least`.
    #[must_use]
    pub const fn at_least(mut self, least: &'static str) -> Self {
        self.least = Some(least);
        self
    }

    /// The name of its environment variable.
    pub fn variable(&self) -> String {
        format!("BERTH_{}__{}", self.section.replace('.', "__"), self.name).to_uppercase()
    }

    /// The name of its flag, without dashes.
    pub fn flag_name(&self) -> Option<&'static str> {
        match self.flag {
            Flag::None => None,
            Flag::Serve(name) | Flag::Everywhere(name) => Some(name),
        }
    }

    /// What a value must look like.
    pub fn expected(&self) -> String {
        let expected = (self.expected)();
        self.least.map_or_else(|| expected.clone(), |least| format!("{expected}, at least {least}"))
    }

    /// The value in the form in which it is printed; `None` where it is not one of this setting.
    pub fn canonical(&self, value: &Value) -> Option<Value> {
        (self.canonical)(value, self.least)
    }
}

fn canonical<K: Kind>(value: &Value, least: Option<&str>) -> Option<Value> {
    let read = K::read(value)?;
    let least = least.and_then(K::parse).map_or(0, |least| least.magnitude());
    (read.magnitude() >= least).then(|| read.show())
}

/// The setting of that key.
pub fn find(key: &str) -> Option<&'static Setting> {
    super::SETTINGS.iter().find(|setting| setting.key == key)
}
