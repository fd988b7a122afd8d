//! Os servidores dos alunos, em `alunos/`, e o Python que os executa.

use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{Processo, ate, porta_livre};

/// O interpretador de verdade (o `python3` do caminho pode ser um atalho lento); `None` se não há.
pub fn python() -> Option<&'static str> {
    static PYTHON: OnceLock<Option<String>> = OnceLock::new();
    let procurar = || {
        let saida =
            Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
        let caminho = String::from_utf8(saida.ok()?.stdout).ok()?.trim().to_owned();
        (!caminho.is_empty()).then_some(caminho)
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

/// Abre um servidor de aluno, com estes argumentos depois da porta; `None` se não há Python. A multidão
/// espera que ele abra.
pub fn abrir_aluno(nome: &str, argumentos: &[&str]) -> Option<(Processo, SocketAddr)> {
    let porta = porta_livre();
    let mut comando = Command::new(python()?);
    comando.arg(script(nome)).arg(porta.to_string()).args(argumentos).stdin(Stdio::null());
    comando.stdout(Stdio::piped()).stderr(Stdio::piped());
    Some((Processo::iniciar(comando), SocketAddr::from(([127, 0, 0, 1], porta))))
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
