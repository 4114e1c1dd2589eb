//! The bounds of a plugin: defaults, what the configuration changes, and how the two are laid over each other.

mod duration;
mod size;

pub use duration::{duration, timeout};
pub(super) use duration::{milliseconds, milliseconds_if_any};
pub(super) use size::size;

use serde::{Deserialize, Deserializer, Serialize};
use std::str::FromStr;

/// Says each bound once: its doc, type, default, and the check of what the configuration says.
macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $default:expr, $check:literal;)*) => {
        /// The bounds of one plugin and of its calls. Over any of them the whole call, or load, fails; nothing is
        /// clamped.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        pub struct Limits {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// The bounds that one section of the configuration sets; the rest is taken from below.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct LimitsLayer {
            $(
                #[serde(deserialize_with = $check, skip_serializing_if = "Option::is_none")]
                pub(super) $name: Option<$type>,
            )*
        }

        impl LimitsLayer {
            /// These bounds where they are set, those of `below` elsewhere.
            pub fn over(&self, below: &Limits) -> Limits {
                Limits { $($name: self.$name.unwrap_or(below.$name),)* }
            }
        }

        impl LimitsLayer {
            /// These bounds where the layer above sets none.
            pub fn under(self, above: Self) -> Self {
                Self { $($name: above.$name.or(self.$name),)* }
            }
        }

        impl From<&Limits> for LimitsLayer {
            fn from(limits: &Limits) -> Self {
                Self { $($name: Some(limits.$name),)* }
            }
        }
    };
}

limits! {
    /// Instantiation, guest code and waits inside host calls together; longer is 504 `deadline-exceeded`, or 503 `starved` where
    /// the host left the call less than a quarter of that time.
    call_deadline_ms: u64 = 1_000, "milliseconds_if_any::<_, _, 1, 3_600_000>";
    /// All linear memories of an instance together; more is 502 `over-memory`. A wasm32 memory ends at 4 GiB.
    memory_bytes_max: usize = 64 << 20, "between::<_, _, 65_536, 4_294_967_296>";
    /// All tables of an instance together; more is 502 `over-table`.
    table_elements_max: usize = 10_000, "between::<_, _, 0, 10_000_000>";
    /// What one call may return, held while the values are copied out of the guest; more is 502 `over-output`.
    output_bytes_max: usize = 16 << 20, "between::<_, _, 1, 4_294_967_296>";
    /// Messages that a processor returns for one; more is `too-many-messages`.
    messages_max: usize = 1_000, "between::<_, _, 1, 1_000_000>";
    /// Replies to one request; more is `too-many-replies`.
    replies_max: usize = 1_000, "between::<_, _, 0, 1_000_000>";
    /// The delay of one reply; more is `delay-too-long`.
    delay_ms_max: u32 = 60_000, "milliseconds_if_any::<_, _, 0, 86_400_000>";
    /// Calls at the same time; more are 503 `too-many-calls`.
    calls_max: usize = 64, "between::<_, _, 1, 1_000>";
    /// The stack of guest code, rounded up to a power of two; more is 502 `over-stack`.
    stack_bytes_max: usize = 512 << 10, "between::<_, _, 65_536, 67_108_864>";
    /// Of one core, for all calls of the plugin that use more than 4 ms of it, which wait where that is used up; 200 is two cores.
    /// Such calls get a tenth of a processor that others want too.
    cpu_percent_max: u32 = 100, "between::<_, _, 1, 100_000>";
    /// Lines of the plugin in the host's log, and as many about its failed calls; more are counted, not written.
    log_lines_per_second_max: u32 = 100, "between::<_, _, 0, 1_000_000>";
    /// The component, where a larger one is refused; a Python one has 18 MiB.
    component_bytes_max: u64 = 256 << 20, "between::<_, _, 1, 4_294_967_296>";
    /// Compiling, on the clock and on the processor; what takes longer is refused.
    compile_ms_max: u64 = 60_000, "milliseconds_if_any::<_, _, 1, 3_600_000>";
    /// What the compiler may take; a component that takes more is refused.
    compile_memory_bytes_max: u64 = 2 << 30, "between::<_, _, 268_435_456, 1_099_511_627_776>";
}

/// One bound, as a flag says it: `KEY=VALUE`.
impl FromStr for LimitsLayer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(format!("`{text}` is not KEY=VALUE, such as call_deadline_ms=5s"));
        };
        let number = value.parse().map(toml::Value::Integer);
        let value = number.unwrap_or_else(|_| toml::Value::String(value.to_owned()));
        let bounds = toml::Table::from_iter([(key.to_owned(), value)]);
        bounds.try_into().map_err(|error: toml::de::Error| format!("{key}: {}", error.message()))
    }
}

/// Reads a number and holds it to its range while the parser still knows the line.
///
/// # Errors
/// When it is no number, or out of its range.
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
///
/// # Errors
/// As [`between`], and when it is absent.
pub(super) fn number<'de, D, T, const MIN: i64, const MAX: i64>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    between::<D, T, MIN, MAX>(deserializer)?.ok_or_else(|| serde::de::Error::custom("a number is missing"))
}
