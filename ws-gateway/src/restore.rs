//! What an earlier process knew, before anything is received.

use std::sync::Arc;

use sip_core::server::{Keep, KeptCall};
use sip_core::time::Duration;

use crate::clock;
use crate::exchange::Exchange;
use crate::store::{Changes, Database, Registrations};

/// Who calls, and who is called, may have given up by now, and has said so for 64·T1 to nobody (RFC 3261 §17.1.2.2).
const UNHEARD: Duration = Duration::from_secs(32);

/// Takes in its registrations, but not of accounts that are gone or have another password since.
pub(crate) fn registrations(
    database: &Database,
    changes: &Changes,
    exchange: &Exchange,
) -> anyhow::Result<()> {
    let now = clock::now();
    let rows = database.load(|local, remote| exchange.flows.udp_to(local, remote))?;
    for Registrations { aor, account, bindings } in rows {
        let there = exchange.accounts.fingerprint(&aor);
        let same = there.is_some() && (account.is_none() || account == there);
        if account.is_none() {
            // An earlier gateway did not write whose it was.
            changes.note(&aor);
        }
        let bindings = if same { bindings } else { Vec::new() };
        exchange.location.restore(aor, bindings, now);
    }
    tracing::info!(bindings = exchange.location.len(), "registrations of before");
    Ok(())
}

/// Takes up the calls that were being set up: those who are there ring on, the others are waited for. After a longer while, or where the
/// account that called is gone, they are given up on both sides.
pub(crate) fn calls(database: &Database, changes: &Changes, exchange: &Arc<Exchange>) -> anyhow::Result<()> {
    let rows = database.load_calls()?;
    let calls = rows.len();
    let now = clock::now();
    let gone = database.alive()?.is_none_or(|alive| now.since(alive) > UNHEARD);
    for (key, record) in rows {
        changes.found(key);
        match KeptCall::read(&record, |local, remote| exchange.flows.udp_to(local, remote)) {
            Some(mut call) if call.key() == key => {
                let account = call.account().is_none_or(|aor| exchange.accounts.owns(&aor));
                if gone || !account {
                    call.give_up();
                }
                exchange.take_up(call);
            }
            _ => {
                tracing::error!("a call that was being set up is given up: its row cannot be read");
                changes.keep(Keep { key, record: None });
            }
        }
    }
    if calls > 0 {
        tracing::info!(calls, "calls of before that were being set up");
    }
    Ok(())
}
