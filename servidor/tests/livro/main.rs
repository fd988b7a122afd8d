//! O livro e o extrato, sem servidor: o que se escreve, o que se recusa, o que se confere.
//!
//! As quedas do programa de verdade, o disco cheio e as chamadas de sistema estão nos testes de ponta
//! a ponta; a ordem entre firmar e responder, na simulação.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod abrir;
mod criar;
mod extrato_lido;
mod pedidos;
mod vigia;

use std::fs::{self, File};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use proptest::prelude::*;
use rusqlite::Connection;
use servidor::extrato::{Falha, Forma, Veredito, extrair};
use servidor::livro::{Contas, Livro, WalQueFicou};
use servidor::loja::Venda;
use tempfile::TempDir;

/// Uma pasta com um livro por fazer.
fn pasta() -> (TempDir, PathBuf) {
    let pasta = tempfile::tempdir().unwrap();
    let livro = pasta.path().join("vendas.db");
    (pasta, livro)
}

/// As próximas `quantas` vendas de um livro, de um cliente só.
fn vender(livro: &mut Livro, quantas: u64) {
    let endereco = SocketAddr::from(([192, 0, 2, 1], 4000));
    let restantes = livro.contas().restantes();
    let vendas: Vec<Venda> =
        (1..=quantas).map(|n| Venda { endereco, restante: restantes - n }).collect();
    livro.firmar(vendas).unwrap();
}

/// O livro que um servidor deixou depois de vender 3 de 10, e de mais 5 que repuseram, 4.
fn livro_com_historia(caminho: &Path) {
    vender(&mut Livro::abrir(caminho, Some(10)).unwrap(), 3);
    Livro::repor(caminho, 5).unwrap();
    vender(&mut Livro::abrir(caminho, None).unwrap(), 4);
}

fn extrato(caminho: &Path, forma: Forma) -> (String, Veredito) {
    let mut saida = Vec::new();
    let veredito = extrair(caminho, forma, &mut saida).unwrap_or_else(|falha| panic!("{falha:?}"));
    (String::from_utf8(saida).unwrap(), veredito)
}

/// A explicação, que é uma linha só, de por que não se abre.
fn nao_abre(caminho: &Path, estoque: Option<u64>) -> String {
    let erro = Livro::abrir(caminho, estoque).expect_err("abriu").to_string();
    assert!(!erro.contains('\n') && erro.contains(&caminho.display().to_string()), "{erro}");
    erro
}

/// Ao lado do livro não ficou nada: o que o SQLite deixasse ali seria de quem passou, e não do servidor.
fn esta_so(livro: &Path) -> bool {
    fs::read_dir(livro.parent().unwrap()).unwrap().count() == 1
}

/// O livro como uma queda o deixaria agora, em outra pasta; só com os arquivos destes sufixos.
fn como_depois_de_uma_queda(caminho: &Path, sufixos: &[&str]) -> (TempDir, PathBuf) {
    let (outra, copia) = pasta();
    for sufixo in sufixos {
        let com_sufixo = |caminho: &Path| format!("{}{sufixo}", caminho.display());
        fs::copy(com_sufixo(caminho), com_sufixo(&copia)).unwrap();
    }
    (outra, copia)
}

/// Um livro com tantas vendas e tantas reposições, feito sem o servidor.
fn livro_grande(caminho: &Path, vendas: u64, reposicoes: u64) {
    drop(Livro::abrir(caminho, Some(vendas)).unwrap());
    let cada = vendas / (reposicoes + 1);
    mexer(
        caminho,
        &format!(
            "PRAGMA synchronous = off; BEGIN;
             WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < {reposicoes})
             INSERT INTO estoque SELECT i + 1, '2026-11-25T15:51:35.771Z', 'reposicao', 5, i * {cada}
             FROM r WHERE {reposicoes} > 0;
             WITH RECURSIVE v(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM v WHERE n < {vendas})
             INSERT INTO vendas (numero, instante, endereco, restante) SELECT n, '2026-11-25T15:51:36.282Z', '127.0.0.1:59204',
             {vendas} + 5 * min({reposicoes}, (n - 1) / {cada}) - n FROM v;
             COMMIT"
        ),
    );
}

/// Faz algo com o arquivo, por fora.
fn mexer(caminho: &Path, comandos: &str) {
    Connection::open(caminho).unwrap().execute_batch(comandos).unwrap();
}
