//! Os servidores dos alunos, em `alunos/`, e o Python que os executa.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::ate;

/// O interpretador de verdade (o `python3` do caminho pode ser um atalho lento); `None` se não há.
///
/// # Panics
///
/// O nome dele não é texto.
pub fn python() -> Option<&'static str> {
    static PYTHON: OnceLock<Option<String>> = OnceLock::new();
    let procurar = || {
        let achado =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let achado = achado.ok().filter(|saida| saida.status.success());
        achado.map(|saida| String::from_utf8(saida.stdout).unwrap().trim().to_owned())
    };
    let python = PYTHON.get_or_init(procurar).as_deref();
    if python.is_none() {
        println!("sem python3: teste pulado");
    }
    python
}

/// O servidor de um aluno.
pub fn script(nome: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("alunos").join(nome)
}

/// O comando que abre o servidor de um aluno nesta porta; `None` sem Python.
pub fn abre(nome: &str, porta: u16) -> Option<String> {
    Some(format!("exec '{}' '{}' {porta}", python()?, script(nome).display()))
}

/// Espera a porta recusar conexões: um processo que levou SIGKILL ainda pode levar um instante.
///
/// # Panics
///
/// Ela continuou aberta até o [`PRAZO`](crate::PRAZO).
pub fn ninguem_atende(porta: u16) {
    ate("a porta ficar livre", || TcpStream::connect(("127.0.0.1", porta)).is_err().then_some(()));
}
