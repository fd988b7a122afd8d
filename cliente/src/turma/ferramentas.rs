//! O que a máquina tem para abrir as entregas: os programas de cada linguagem, e onde estão. Não executa o que se entregou.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::getuid;

use super::cela::pastas_de_programas;
use super::receita::Receita;

/// Onde se procura.
#[derive(Debug, Clone, Default)]
pub struct Ferramentas {
    /// As linguagens instaladas fora das pastas do sistema, que a cela também lê.
    pub tambem: Vec<PathBuf>,
    /// As pastas dos programas.
    pastas: Vec<PathBuf>,
}

impl Ferramentas {
    /// As que a cela verá; sem isolamento, as do professor.
    pub fn da_maquina(isolada: bool) -> Self {
        if !isolada {
            let caminho = env::var_os("PATH").unwrap_or_default();
            return Ferramentas {
                tambem: Vec::new(),
                pastas: env::split_paths(&caminho).collect(),
            };
        }
        // O rustup instala na pasta do professor; do que há nela, a cela só lê o Rust. Se o professor é root, a cela não é, e não a lê.
        let tambem: Vec<PathBuf> =
            if getuid().is_root() { Vec::new() } else { pasta_do_rust().into_iter().collect() };
        let pastas = pastas_de_programas(&tambem);
        Ferramentas { tambem, pastas }
    }

    /// Que aqui não há um programa de que a receita precisa, e qual.
    pub fn falta(&self, receita: &Receita) -> Option<String> {
        let falta = receita.precisa.iter().find(|programa| achar(programa, &self.pastas).is_none());
        falta.map(|programa| {
            format!("esta máquina não tem o programa '{programa}' onde a avaliação o veja")
        })
    }
}

/// O caminho de um programa em uma destas pastas.
pub fn achar(programa: &str, pastas: &[PathBuf]) -> Option<PathBuf> {
    pastas.iter().map(|pasta| pasta.join(programa)).find(|caminho| caminho.is_file())
}

fn pasta_do_rust() -> Option<PathBuf> {
    let saida = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let pasta = PathBuf::from(String::from_utf8(saida.stdout).ok()?.trim());
    (pasta.is_absolute() && !pasta.starts_with(Path::new("/usr"))).then_some(pasta)
}
