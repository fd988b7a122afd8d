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
    /// As do professor, que a cela pode não ver.
    do_professor: Vec<PathBuf>,
    /// O professor é root, e a cela, que não é, não lê a pasta pessoal dele.
    root: bool,
}

impl Ferramentas {
    /// As que a cela verá; sem isolamento, as do professor.
    pub fn da_maquina(isolada: bool) -> Self {
        let caminho = env::var_os("PATH").unwrap_or_default();
        let do_professor: Vec<PathBuf> = env::split_paths(&caminho).collect();
        let root = getuid().is_root();
        if !isolada {
            let pastas = do_professor.clone();
            return Ferramentas { tambem: Vec::new(), pastas, do_professor, root };
        }
        // O rustup instala na pasta do professor; do que há nela, a cela só lê o Rust. Se o professor é root, nem isso.
        let tambem: Vec<PathBuf> =
            if root { Vec::new() } else { pasta_do_rust().into_iter().collect() };
        let pastas = pastas_de_programas(&tambem);
        Ferramentas { tambem, pastas, do_professor, root }
    }

    /// Que aqui não há um programa de que a receita precisa, qual, por que não se vê e o que fazer.
    pub fn falta(&self, receita: &Receita) -> Option<String> {
        let falta = |programa: &&&str| achar(programa, &self.pastas).is_none();
        let programa = receita.precisa.iter().find(falta)?;
        let (porque, ou) = match achar(programa, &self.do_professor) {
            None => ("", ""),
            Some(_) if self.root => (
                ": ele está na pasta pessoal do root, que a cela não lê",
                ", ou corrija a turma com um usuário comum",
            ),
            Some(_) => (": ele está fora das pastas do sistema, as únicas que a cela lê", ""),
        };
        Some(format!(
            "esta máquina não tem o programa '{programa}' onde a avaliação o veja{porque}; instale-o no sistema (no \
             Debian: apt install {}){ou}",
            pacote(programa)
        ))
    }
}

/// O pacote do Debian que traz um programa.
fn pacote(programa: &str) -> &str {
    match programa {
        "rustc" | "cargo" => "rustc cargo",
        "node" => "nodejs",
        "java" | "javac" => "default-jdk",
        "mvn" => "maven",
        "go" => "golang",
        outro => outro,
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

#[cfg(test)]
mod testes {
    use super::*;
    use crate::turma::receita::{Origem, a_mando};

    #[test]
    fn do_programa_que_a_cela_nao_ve_se_diz_por_que_e_o_que_fazer() {
        let pessoal = tempfile::tempdir().unwrap();
        std::fs::write(pessoal.path().join("rustc"), "").unwrap();
        let com = |do_professor: Vec<PathBuf>, root| {
            let ferramentas = Ferramentas { do_professor, root, ..Ferramentas::default() };
            let receita = a_mando(PathBuf::new(), String::new(), Origem::Adivinhado);
            ferramentas.falta(&Receita { precisa: vec!["rustc"], ..receita }).unwrap()
        };
        let do_root = com(vec![pessoal.path().into()], true);
        for parte in ["na pasta pessoal do root", "apt install rustc cargo", "um usuário comum"] {
            assert!(do_root.contains(parte), "{do_root}");
        }
        let de_fora = com(vec![pessoal.path().into()], false);
        assert!(de_fora.contains("fora das pastas do sistema"), "{de_fora}");
        let nenhum = com(Vec::new(), true);
        assert!(
            nenhum.ends_with("o veja; instale-o no sistema (no Debian: apt install rustc cargo)")
        );
    }
}
