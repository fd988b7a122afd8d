//! Os servidores de alunos, em Python, que estão em `alunos/`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::{Processo, porta_livre};

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

/// O caminho de um servidor de aluno.
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
