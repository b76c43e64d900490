//! What a lifecycle policy is made of.

use crate::ecr::wildcard::Wildcard;

/// A rule: which images, and what is done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// `rulePriority`: from 1, no two rules have the same. The lowest is applied first.
    pub priority: u32,
    /// What it is for, where its author said so.
    pub description: Option<String>,
    /// Which images.
    pub selection: Selection,
    /// What is done with them.
    pub action: Action,
}

/// Which images a rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// By their tags.
    pub tag_status: TagStatus,
    /// By where they are.
    pub storage_class: StorageClass,
    /// By how many or how old they are.
    pub count: Count,
}

/// `tagStatus`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagStatus {
    /// `tagged`: images whose tags match.
    Tagged(TagMatch),
    /// `untagged`: images without a tag.
    Untagged,
    /// `any`: all images.
    Any,
}

/// How the tags of an image match: each entry of the list must match one of them. The list has at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagMatch {
    /// `tagPatternList`: a tag matches as a whole.
    Patterns(Vec<Wildcard>),
    /// `tagPrefixList`: a tag begins with it, letter by letter; `*` is no wildcard.
    Prefixes(Vec<String>),
}

/// `storageClass`: where an image is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum StorageClass {
    /// `standard`: it can be pulled.
    #[default]
    Standard,
    /// `archive`: it has to be restored first.
    Archive,
}

/// `countType` and `countNumber`. All numbers are from 1, and days are whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// `imageCountMoreThan`: all but so many of the youngest.
    ImageCountMoreThan(u32),
    /// `sinceImagePushed`: pushed longer ago.
    SincePushed {
        /// How long ago.
        days: u32,
    },
    /// `sinceImagePulled`: not pulled for longer.
    SincePulled {
        /// How long.
        days: u32,
    },
    /// `sinceImageTransitioned`: in the archive for longer, 90 days at least.
    SinceTransitioned {
        /// How long.
        days: u32,
    },
}

/// `action`: what is done with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// `expire`: it is deleted.
    Expire,
    /// `transition`: it goes to the archive.
    Transition,
}
