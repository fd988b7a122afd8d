//! O que o fuzzing já viu não volta: cada entrada guardada em `servidor/fuzz/corpus` é experimentada
//! de novo, sem libFuzzer e com o Rust de sempre.
//!
//! Os alvos são os mesmos arquivos, em `servidor/fuzz/alvos`. Uma entrada que derrubou um deles
//! (`servidor/fuzz/artifacts`) vem para o corpus junto com o conserto, e daí em diante é um teste.
//! Aqui não se inventa entrada nenhuma; para isso, de dentro de `servidor`:
//!
//! ```text
//! cargo install cargo-fuzz --locked
//! mkdir -p ../target/achados
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --sanitizer none conexao ../target/achados fuzz/corpus/conexao \
//!     -- -dict=fuzz/palavras.dict -max_len=1024 -max_total_time=600
//! ```
//!
//! (`RUSTC_BOOTSTRAP` deixa o Rust estável instrumentar o código. Sem `unsafe` no projeto, o sanitizer
//! teria pouco a achar, e o mesmo tempo dá para três vezes mais entradas.)
//!
//! O que ele guarda em `achados` é muito mais do que vale ter aqui. No corpus ficaram as cenas
//! escritas à mão, que têm nome, e as que mais cobrem por byte, que têm um número.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};

#[path = "../fuzz/alvos/comando.rs"]
mod comando;
#[path = "../fuzz/alvos/conexao.rs"]
mod conexao;
#[path = "simulacao/enquadramento.rs"]
mod enquadramento;
#[path = "simulacao/evento.rs"]
#[allow(dead_code, reason = "o sorteio fica com a simulação: aqui as entradas já existem")]
mod evento;
#[path = "simulacao/ficha.rs"]
mod ficha;
#[path = "simulacao/fluxo.rs"]
mod fluxo;
#[path = "../fuzz/alvos/linhas.rs"]
mod linhas;
#[path = "simulacao/livro_de_mentira.rs"]
mod livro_de_mentira;
#[path = "simulacao/mundo.rs"]
mod mundo;
#[path = "simulacao/oraculo.rs"]
mod oraculo;
#[path = "simulacao/veredito.rs"]
mod veredito;

#[test]
fn linhas_de_novo() {
    repetir("linhas", linhas::experimentar);
}

#[test]
fn comandos_de_novo() {
    repetir("comando", comando::experimentar);
}

#[test]
fn conexoes_de_novo() {
    repetir("conexao", conexao::experimentar);
}

/// Experimenta cada entrada do corpus deste alvo, e diz qual foi a primeira que o derrubou.
fn repetir(alvo: &str, experimentar: fn(&[u8])) {
    let pasta = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(alvo);
    let entradas = fs::read_dir(&pasta).unwrap().map(|entrada| entrada.unwrap().path());
    let mut entradas: Vec<PathBuf> = entradas.collect();
    entradas.sort();
    assert!(!entradas.is_empty(), "não há corpus em {}", pasta.display());
    for entrada in entradas {
        let bytes = fs::read(&entrada).unwrap();
        let fim = panic::catch_unwind(AssertUnwindSafe(|| experimentar(&bytes)));
        assert!(fim.is_ok(), "{} derrubou o alvo {alvo}; o porquê está acima", entrada.display());
    }
}
