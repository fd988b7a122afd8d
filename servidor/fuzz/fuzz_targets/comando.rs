//! Comandos e mensagens sob bytes quaisquer: veja `alvos/comando.rs`.

#![no_main]

#[path = "../alvos/comando.rs"]
mod comando;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| comando::experimentar(bytes));
