//! As trocas apressadas: em metade das disputas, o Python do servidor troca de thread a cada 1 µs.
//!
//! O intervalo normal, 5 ms, é muito maior que uma venda: duas threads quase nunca se cruzam no meio de
//! uma, e um servidor sem Lock pode passar por certo. Na outra metade o intervalo é o normal: quem faz uma pausa
//! no meio da venda (um `print` basta) aparece mais assim. Nada muda no programa do aluno: um `sitecustomize.py`, que
//! o Python importa ao abrir, chega a ele pelo PYTHONPATH. O de um programa com Lock é só mais lento.
//!
//! Não serve a outras linguagens, e não as atrapalha.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::path::{Path, PathBuf};

use crate::sistema;

const SITECUSTOMIZE: &str = include_str!("trocas/sitecustomize.py");

/// O que o sitecustomize deixa na pasta quando um Python o executou.
const FEITO: &str = "apressado";

/// A pasta que apressa o Python. Some com este valor.
#[derive(Debug)]
pub struct Trocas {
    pasta: PathBuf,
}

impl Trocas {
    /// Um caminho que ninguém mais usa, nem adivinha: um servidor que o criasse antes não seria apressado.
    pub fn caminho_novo() -> PathBuf {
        std::env::temp_dir().join(format!("avaliacao-{:016x}", rand::random::<u64>()))
    }

    /// Cria a pasta.
    ///
    /// # Errors
    ///
    /// Já existe, ou não se pode escrever ali.
    pub fn preparar(pasta: &Path) -> io::Result<Self> {
        // Só deste usuário, e nunca uma que outro tenha posto ali.
        sistema::so_do_usuario(&mut DirBuilder::new()).create(pasta)?;
        let trocas = Trocas { pasta: pasta.into() };
        fs::write(trocas.pasta.join("sitecustomize.py"), SITECUSTOMIZE)?;
        Ok(trocas)
    }

    /// O PYTHONPATH com ela na frente.
    pub fn caminho_do_python(&self) -> OsString {
        let outros = std::env::var_os("PYTHONPATH").unwrap_or_default();
        let outros = std::env::split_paths(&outros).filter(|outro| !outro.as_os_str().is_empty());
        let todos = std::iter::once(self.pasta.clone()).chain(outros);
        // Um caminho com o separador dentro não cabe na lista: vai só a pasta.
        std::env::join_paths(todos).unwrap_or_else(|_| self.pasta.clone().into_os_string())
    }

    /// Um Python foi apressado por esta pasta?
    pub fn houve(pasta: &Path) -> bool {
        pasta.join(FEITO).exists()
    }
}

impl Drop for Trocas {
    fn drop(&mut self) {
        // Se alguém já a tirou, tanto melhor.
        let _ = fs::remove_dir_all(&self.pasta);
    }
}
