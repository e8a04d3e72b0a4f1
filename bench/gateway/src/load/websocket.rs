//! Many phones over WebSockets, each operation started when it is due and not when the one before is done.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};
use tokio_rustls::TlsConnector;

use super::Outcome;
use super::phone::Phone;

/// Phones that are connected, and what came of it.
pub type Phones = (Vec<Phone>, Outcome);

/// Does `operation` to `items` at `rate` a second and gives back what succeeded.
async fn paced<T, U, F>(items: Vec<T>, rate: u64, operation: impl Fn(T) -> F) -> (Vec<U>, Outcome)
where
    F: Future<Output = Result<U>> + Send + 'static,
    U: Send + 'static,
{
    let (start, mut running) = (Instant::now(), JoinSet::new());
    for (at, item) in items.into_iter().enumerate() {
        sleep_until(start + Duration::from_micros(1_000_000 * at as u64 / rate)).await;
        running.spawn(operation(item));
    }
    let (mut done, mut outcome) = (Vec::new(), Outcome::default());
    while let Some(result) = running.join_next().await {
        match result {
            Ok(Ok(item)) => {
                done.push(item);
                outcome.done += 1;
            }
            Ok(Err(error)) => {
                if outcome.failed == 0 {
                    eprintln!("  failed: {error:#}");
                }
                outcome.failed += 1;
            }
            Err(_) => outcome.failed += 1,
        }
    }
    (done, outcome)
}

/// Opens the connections of the users with these numbers.
pub async fn connect(
    numbers: std::ops::Range<usize>,
    rate: u64,
    server: SocketAddr,
    tls: Option<Arc<TlsConnector>>,
) -> Phones {
    paced(numbers.collect(), rate, |number| Phone::connect(number, server, tls.clone())).await
}

/// Registers all.
pub async fn register(phones: Vec<Phone>, rate: u64) -> Phones {
    let register = |mut phone: Phone| async {
        phone.register().await?;
        Ok(phone)
    };
    paced(phones, rate, register).await
}

/// Each calls `callee` over UDP once.
pub async fn call_callee(phones: Vec<Phone>, rate: u64) -> Phones {
    let call = |mut phone: Phone| async {
        phone.call("callee").await?;
        Ok(phone)
    };
    paced(phones, rate, call).await
}

/// Each of the even calls the next odd one once.
pub async fn call_each_other(phones: Vec<Phone>, rate: u64) -> Outcome {
    let (callers, callees): (Vec<_>, Vec<_>) = phones.into_iter().partition(|phone| phone.number() % 2 == 0);
    let mut serving = JoinSet::new();
    for mut callee in callees {
        serving.spawn(async move { callee.serve().await });
    }
    let call = |mut phone: Phone| async {
        let callee = format!("u{}", phone.number() + 1);
        phone.call(&callee).await?;
        Ok(phone)
    };
    paced(callers, rate, call).await.1
}
