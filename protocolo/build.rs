//! Diz de que commit se compilou, para o `--versao`. Sem o git, ou fora de um repositório, só a versão.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let versao = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    // Quem desenvolve não recompila tudo a cada commit.
    let otimizado = env::var("PROFILE").is_ok_and(|perfil| perfil == "release");
    let commit = if otimizado { commit() } else { Some("sem otimização".into()) };
    let versao = commit.map_or_else(|| versao.clone(), |commit| format!("{versao} ({commit})"));
    println!("cargo:rustc-env=VERSAO_COM_COMMIT={versao}");
}

/// O commit, com um `+` se há o que não está nele.
fn commit() -> Option<String> {
    // O que muda quando se faz um commit; em outra árvore de trabalho, fica em outra pasta.
    println!("cargo:rerun-if-changed={}", git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    let commit = git(&["rev-parse", "--short=10", "HEAD"])?;
    let mudou = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if mudou.is_empty() { commit } else { format!("{commit}+") })
}

fn git(argumentos: &[&str]) -> Option<String> {
    let saida = Command::new("git").args(argumentos).output().ok()?;
    let texto = String::from_utf8(saida.stdout).ok()?;
    saida.status.success().then(|| texto.trim().to_owned())
}
