//! The bounds of a plugin's calls: defaults, what the configuration changes, and how the two are laid over each other.

use serde::{Deserialize, Deserializer, Serialize};

/// The bounds of every call of one plugin. Over any of them the whole call fails; nothing is clamped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Instantiation, guest code and waits inside host calls together.
    pub call_deadline_ms: u64,
    /// All linear memories of an instance together.
    pub memory_bytes_max: usize,
    /// All tables of an instance together.
    pub table_elements_max: usize,
    /// What one call may return, held while the values are copied out of the guest.
    pub output_bytes_max: usize,
    /// Replies to one request.
    pub replies_max: usize,
    /// The delay of one reply.
    pub delay_ms_max: u32,
    /// Calls at the same time.
    pub calls_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_deadline_ms: 1_000,
            memory_bytes_max: 64 << 20,
            table_elements_max: 10_000,
            output_bytes_max: 16 << 20,
            replies_max: 1_000,
            delay_ms_max: 60_000,
            calls_max: 64,
        }
    }
}

/// The bounds that one section of the configuration sets; the rest is taken from below.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsLayer {
    #[serde(deserialize_with = "between::<_, u64, 1, 3_600_000>", skip_serializing_if = "Option::is_none")]
    call_deadline_ms: Option<u64>,
    // A wasm32 memory ends at 4 GiB.
    #[serde(deserialize_with = "between::<_, usize, 65_536, 4_294_967_296>", skip_serializing_if = "Option::is_none")]
    memory_bytes_max: Option<usize>,
    #[serde(deserialize_with = "between::<_, usize, 0, 10_000_000>", skip_serializing_if = "Option::is_none")]
    table_elements_max: Option<usize>,
    #[serde(deserialize_with = "between::<_, usize, 1, 4_294_967_296>", skip_serializing_if = "Option::is_none")]
    output_bytes_max: Option<usize>,
    #[serde(deserialize_with = "between::<_, usize, 0, 1_000_000>", skip_serializing_if = "Option::is_none")]
    replies_max: Option<usize>,
    #[serde(deserialize_with = "between::<_, u32, 0, 86_400_000>", skip_serializing_if = "Option::is_none")]
    delay_ms_max: Option<u32>,
    #[serde(deserialize_with = "between::<_, usize, 1, 1_000>", skip_serializing_if = "Option::is_none")]
    calls_max: Option<usize>,
}

impl LimitsLayer {
    /// These bounds where they are set, those of `below` elsewhere.
    pub fn over(&self, below: &Limits) -> Limits {
        Limits {
            call_deadline_ms: self.call_deadline_ms.unwrap_or(below.call_deadline_ms),
            memory_bytes_max: self.memory_bytes_max.unwrap_or(below.memory_bytes_max),
            table_elements_max: self.table_elements_max.unwrap_or(below.table_elements_max),
            output_bytes_max: self.output_bytes_max.unwrap_or(below.output_bytes_max),
            replies_max: self.replies_max.unwrap_or(below.replies_max),
            delay_ms_max: self.delay_ms_max.unwrap_or(below.delay_ms_max),
            calls_max: self.calls_max.unwrap_or(below.calls_max),
        }
    }
}

impl From<&Limits> for LimitsLayer {
    fn from(limits: &Limits) -> Self {
        Self {
            call_deadline_ms: Some(limits.call_deadline_ms),
            memory_bytes_max: Some(limits.memory_bytes_max),
            table_elements_max: Some(limits.table_elements_max),
            output_bytes_max: Some(limits.output_bytes_max),
            replies_max: Some(limits.replies_max),
            delay_ms_max: Some(limits.delay_ms_max),
            calls_max: Some(limits.calls_max),
        }
    }
}

/// Reads a number and holds it to its range while the parser still knows the line.
pub(super) fn between<'de, D, T, const MIN: i64, const MAX: i64>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    let number = i64::deserialize(deserializer)?;
    let out_of_range = || serde::de::Error::custom(format!("{number} is not between {MIN} and {MAX}"));
    if !(MIN..=MAX).contains(&number) {
        return Err(out_of_range());
    }
    T::try_from(number).map(Some).map_err(|_| out_of_range())
}

/// As [`between`], for a value that cannot be absent.
pub(super) fn number<'de, D, T, const MIN: i64, const MAX: i64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    between::<D, T, MIN, MAX>(deserializer)?.ok_or_else(|| serde::de::Error::custom("a number is missing"))
}
