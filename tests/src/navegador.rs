//! Um navegador de verdade, sem tela, para as páginas que se escrevem.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Um navegador, se esta máquina tem algum.
pub fn navegador() -> Option<PathBuf> {
    let pastas = std::env::var_os("PATH").unwrap_or_default();
    let mut candidatos = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .flat_map(|nome| std::env::split_paths(&pastas).map(move |pasta| pasta.join(nome)));
    candidatos.find(|caminho| caminho.is_file())
}

/// Abre uma página sem tela. O navegador tem mais tempo que os outros programas, e acaba com ele.
///
/// # Panics
///
/// O navegador não abriu a página.
pub fn abrir_pagina(navegador: &Path, pagina: &Path, opcoes: &[&str]) -> Output {
    let perfil = tempfile::tempdir().unwrap();
    let saida = Command::new("timeout")
        .args(["--kill-after=5", "90"])
        .arg(navegador)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .args(["--hide-scrollbars", "--allow-file-access-from-files"])
        .arg(format!("--user-data-dir={}", perfil.path().display()))
        .args(opcoes)
        .arg(format!("file://{}", pagina.display()))
        .output()
        .unwrap();
    assert!(saida.status.success(), "{saida:?}");
    saida
}
