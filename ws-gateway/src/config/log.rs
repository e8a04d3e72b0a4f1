//! The key `log`, and the environment's variable that goes before it.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// What may stand there.
pub const LOG: &str = "\"error\", \"warn\", \"info\", \"debug\", \"trace\", \"off\", or those by module, as in \"info,ws_gateway=debug\"";

/// The filter that `text` means. A word alone is a level: that the library takes any other for a module's name would silence the
/// gateway for a typing error.
pub fn log_filter(text: &str) -> Option<EnvFilter> {
    let level = |part: &str| !part.is_empty() && part.parse::<LevelFilter>().is_ok();
    let sound = |part: &str| part.contains('=') || level(part);
    text.split(',').all(sound).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_alone_is_a_level() {
        for sound in
            ["info", "WARN", "off", "info,ws_gateway=debug", "ws_gateway=trace", "error,sip_core=info"]
        {
            assert!(log_filter(sound).is_some(), "{sound}");
        }
        for wrong in
            ["warning", "inof", "", "info,", "ws_gateway", "ws_gateway=loud", "info,verbose", "info, warn"]
        {
            assert!(log_filter(wrong).is_none(), "{wrong}");
        }
    }
}
