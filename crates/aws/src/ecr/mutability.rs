//! Whether a tag may be moved to another image.

use super::invalid::{Invalid, shown};
use super::shapes as s;
use super::wildcard::Wildcard;

/// The most `*` that a filter may have ("Preventing image tags from being overwritten" of ECR's user guide).
const MAX_STARS: usize = 2;

const FILTERS: &str = "imageTagMutabilityExclusionFilters";

/// Which tags are fixed once they are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// `MUTABLE`: none.
    #[default]
    Mutable,
    /// `IMMUTABLE`: all.
    Immutable,
    /// `IMMUTABLE_WITH_EXCLUSION`: all but those that a filter matches.
    ImmutableWithExclusion,
    /// `MUTABLE_WITH_EXCLUSION`: those that a filter matches.
    MutableWithExclusion,
}

impl Mode {
    const ALL: [Self; 4] = [Self::Mutable, Self::Immutable, Self::ImmutableWithExclusion, Self::MutableWithExclusion];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mutable => "MUTABLE",
            Self::Immutable => "IMMUTABLE",
            Self::ImmutableWithExclusion => "IMMUTABLE_WITH_EXCLUSION",
            Self::MutableWithExclusion => "MUTABLE_WITH_EXCLUSION",
        }
    }

    /// Reads a name as the API has it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == name)
    }

    const fn has_filters(self) -> bool {
        matches!(self, Self::ImmutableWithExclusion | Self::MutableWithExclusion)
    }
}

/// The tag mutability of a repository or a template. By default all tags are mutable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagMutability {
    mode: Mode,
    filters: Vec<Wildcard>,
}

impl TagMutability {
    /// Reads what a request says; without a mode it is `MUTABLE`.
    ///
    /// `InvalidParameterException` where filters stand without a mode that has some or are missing with one, and for a
    /// filter of more than two `*`. Number, length and characters of filters are in their shape.
    pub fn from_shapes(
        mode: Option<&str>,
        filters: Option<&[s::ImageTagMutabilityExclusionFilter]>,
    ) -> Result<Self, Invalid> {
        let mode = match mode {
            None => Mode::default(),
            Some(name) => Mode::parse(name).ok_or_else(|| unknown_mode(name))?,
        };
        let filters: Vec<Wildcard> =
            filters.unwrap_or_default().iter().map(|filter| Wildcard::new(&filter.filter)).collect();
        check_filters(mode, &filters)?;
        Ok(Self { mode, filters })
    }

    /// Reads what [`stored`](Self::stored) gave. `None` where it is something else.
    pub fn from_stored(mode: &str, filters_json: &str) -> Option<Self> {
        let texts: Vec<String> = serde_json::from_str(filters_json).ok()?;
        Some(Self { mode: Mode::parse(mode)?, filters: texts.iter().map(|text| Wildcard::new(text)).collect() })
    }

    /// The mode's name and the filters as a JSON array of texts, for a database.
    pub fn stored(&self) -> (&'static str, String) {
        let filters: serde_json::Value = self.filters().collect();
        (self.mode_str(), filters.to_string())
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The mode's name in the API.
    pub fn mode_str(&self) -> &'static str {
        self.mode.as_str()
    }

    /// The texts of the filters, in the order given; none in the modes without exclusion.
    pub fn filters(&self) -> impl Iterator<Item = &str> {
        self.filters.iter().map(Wildcard::as_str)
    }

    /// Whether `tag`, once set, may not be set to another image.
    pub fn is_immutable(&self, tag: &str) -> bool {
        let excluded = || self.filters.iter().any(|filter| filter.matches(tag));
        match self.mode {
            Mode::Mutable => false,
            Mode::Immutable => true,
            Mode::ImmutableWithExclusion => !excluded(),
            Mode::MutableWithExclusion => excluded(),
        }
    }
}

fn check_filters(mode: Mode, filters: &[Wildcard]) -> Result<(), Invalid> {
    if mode.has_filters() && filters.is_empty() {
        return Err(Invalid::parameter(FILTERS, format!("{} needs 1 to 5 exclusion filters", mode.as_str())));
    }
    if !mode.has_filters() && !filters.is_empty() {
        let constraint = format!(
            "{} takes no exclusion filters; they go with IMMUTABLE_WITH_EXCLUSION and MUTABLE_WITH_EXCLUSION",
            mode.as_str()
        );
        return Err(Invalid::parameter(FILTERS, constraint));
    }
    match filters.iter().find(|filter| filter.stars() > MAX_STARS) {
        None => Ok(()),
        Some(filter) => {
            let constraint = format!(
                "the filter '{}' has {} wildcards, at most {MAX_STARS} are allowed",
                shown(filter.as_str()),
                filter.stars()
            );
            Err(Invalid::parameter(FILTERS, constraint))
        }
    }
}

fn unknown_mode(name: &str) -> Invalid {
    let modes = Mode::ALL.map(Mode::as_str).join(", ");
    Invalid::parameter("imageTagMutability", format!("'{}' is no mode, allowed are: {modes}", shown(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecr::Exception;

    fn read(mode: Option<&str>, filters: Option<&[&str]>) -> Result<TagMutability, Invalid> {
        let filter = |filter: &&str| s::ImageTagMutabilityExclusionFilter {
            filter_type: "WILDCARD".into(),
            filter: (*filter).to_owned(),
        };
        let filters: Option<Vec<_>> = filters.map(|filters| filters.iter().map(filter).collect());
        TagMutability::from_shapes(mode, filters.as_deref())
    }

    #[test]
    fn each_mode_fixes_its_tags() {
        let filters: &[&str] = &["latest", "dev-*"];
        let table = [
            (None, None, [false, false, false]),
            (Some("MUTABLE"), None, [false, false, false]),
            (Some("IMMUTABLE"), None, [true, true, true]),
            (Some("IMMUTABLE_WITH_EXCLUSION"), Some(filters), [false, false, true]),
            (Some("MUTABLE_WITH_EXCLUSION"), Some(filters), [true, true, false]),
        ];
        for (mode, filters, expected) in table {
            let read = read(mode, filters).unwrap();
            assert_eq!(["latest", "dev-1", "v1"].map(|tag| read.is_immutable(tag)), expected, "{mode:?}");
            assert_eq!(read.mode_str(), mode.unwrap_or("MUTABLE"));
            assert_eq!(read.mode().as_str(), read.mode_str());
            assert_eq!(read.filters().collect::<Vec<_>>(), filters.unwrap_or_default());
        }
        assert_eq!(read(None, None), Ok(TagMutability::default()));
    }

    type Row<'a> = (Option<&'a str>, Option<&'a [&'a str]>, &'a str);

    #[test]
    fn filters_go_with_the_modes_that_have_some() {
        let table: [Row<'_>; 7] = [
            (None, Some(&["a"]), "MUTABLE takes no exclusion filters"),
            (Some("MUTABLE"), Some(&["a"]), "MUTABLE takes no exclusion filters"),
            (Some("IMMUTABLE"), Some(&["a"]), "IMMUTABLE takes no exclusion filters"),
            (Some("IMMUTABLE_WITH_EXCLUSION"), None, "IMMUTABLE_WITH_EXCLUSION needs 1 to 5 exclusion filters"),
            (Some("MUTABLE_WITH_EXCLUSION"), Some(&[]), "MUTABLE_WITH_EXCLUSION needs 1 to 5 exclusion filters"),
            (Some("MUTABLE_WITH_EXCLUSION"), Some(&["a", "*b*c*"]), "the filter '*b*c*' has 3 wildcards, at most 2"),
            (Some("mutable"), None, "'mutable' is no mode"),
        ];
        for (mode, filters, text) in table {
            let error = read(mode, filters).unwrap_err();
            assert_eq!(error.exception, Exception::InvalidParameter);
            assert!(error.message.contains(text), "{error}");
        }
        assert!(read(Some("MUTABLE_WITH_EXCLUSION"), Some(&["*b*"])).is_ok());
    }

    #[test]
    fn what_is_stored_is_read_back() {
        let filters: &[&str] = &["v*", "x.y_z-*"];
        let with = read(Some("IMMUTABLE_WITH_EXCLUSION"), Some(filters)).unwrap();
        assert_eq!(with.stored(), ("IMMUTABLE_WITH_EXCLUSION", r#"["v*","x.y_z-*"]"#.to_owned()));
        for mutability in [with, TagMutability::default(), read(Some("IMMUTABLE"), None).unwrap()] {
            let (mode, filters) = mutability.stored();
            assert_eq!(TagMutability::from_stored(mode, &filters), Some(mutability));
        }
        for (mode, filters) in [("", "[]"), ("MUTABLE", ""), ("MUTABLE", "{}"), ("MUTABLE", "[1]")] {
            assert_eq!(TagMutability::from_stored(mode, filters), None);
        }
    }
}
