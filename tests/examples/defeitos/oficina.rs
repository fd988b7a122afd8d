//! A oficina: a cópia dos fontes em que se planta um defeito de cada vez, se compila e se procura.
//!
//! Não sabe que defeitos há, e não toca nos fontes de verdade.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs};

/// Quantos roteiros a simulação experimenta antes de se dizer que não achou.
const ROTEIROS: &str = "100000";

/// Um engano que alguém poderia cometer: um texto que aparece exatamente uma vez, e o que vai no lugar dele.
#[derive(Debug)]
pub struct Defeito {
    pub nome: &'static str,
    pub arquivo: &'static str,
    pub certo: &'static str,
    pub errado: &'static str,
    /// Quem o tem de achar.
    pub quem: Teste,
}

/// Um teste com nome.
#[derive(Debug, Clone, Copy)]
pub enum Teste {
    /// A simulação, que diz em que roteiro e por qual invariante.
    Simulacao,
    /// Um teste ao lado do código: o pacote e o nome.
    Unidade(&'static str, &'static str),
    /// Um teste de um alvo: o pacote, o alvo e o nome.
    Alvo(&'static str, &'static str, &'static str),
}

impl Teste {
    fn argumentos(self) -> Vec<&'static str> {
        match self {
            Teste::Simulacao => vec!["-p", "servidor", "--test", "simulacao", "roteiros_ao_acaso"],
            Teste::Unidade(pacote, nome) => vec!["-p", pacote, "--lib", nome],
            Teste::Alvo(pacote, alvo, nome) => vec!["-p", pacote, "--test", alvo, nome],
        }
    }

    fn nome(self) -> String {
        match self {
            Teste::Simulacao => "simulacao".into(),
            Teste::Unidade(pacote, nome) => format!("{pacote}: {nome}"),
            Teste::Alvo(_, alvo, nome) => format!("{alvo}: {nome}"),
        }
    }
}

/// O defeito que `quem` tem de achar.
pub const fn por(
    quem: Teste,
    arquivo: &'static str,
    nome: &'static str,
    certo: &'static str,
    errado: &'static str,
) -> Defeito {
    Defeito { quem, arquivo, nome, certo, errado }
}

/// Um teste de ponta a ponta.
pub const fn no(alvo: &'static str, nome: &'static str) -> Teste {
    Teste::Alvo("testes", alvo, nome)
}

/// A cópia dos fontes e a pasta em que ela se compila; ficam em `target`, para a próxima vez.
#[derive(Debug)]
pub struct Oficina {
    fontes: PathBuf,
    alvo: PathBuf,
}

impl Oficina {
    pub fn abrir() -> Self {
        // Este programa está em `target/debug/examples`.
        let este = env::current_exe().unwrap();
        let pasta = este.ancestors().nth(3).unwrap().join("tmp/defeitos");
        let (fontes, alvo) = (pasta.join("fontes"), pasta.join("alvo"));
        let _ = fs::remove_dir_all(&fontes);
        let raiz = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        copiar(raiz, &fontes);
        Oficina { fontes, alvo }
    }

    /// O texto de cada defeito ainda está lá, uma vez. Confere-se antes de compilar o primeiro.
    pub fn conferir(&self, defeitos: &[&Defeito]) {
        let vezes = |defeito: &Defeito| self.ler(defeito).matches(defeito.certo).count();
        let perdidos: Vec<_> = defeitos
            .iter()
            .filter(|defeito| vezes(defeito) != 1)
            .map(|defeito| {
                format!("«{}», {} vezes em {}", defeito.nome, vezes(defeito), defeito.arquivo)
            })
            .collect();
        assert!(perdidos.is_empty(), "o texto não aparece uma vez:\n{}", perdidos.join("\n"));
    }

    fn ler(&self, defeito: &Defeito) -> String {
        fs::read_to_string(self.fontes.join(defeito.arquivo)).unwrap()
    }

    /// Sem defeito nenhum, os testes que os procuram passam?
    pub fn conferir_os_testes(&self, defeitos: &[&Defeito]) {
        let mut conferidos = Vec::new();
        for quem in defeitos.iter().map(|defeito| defeito.quem) {
            let nome = quem.nome();
            if !conferidos.contains(&nome) {
                if let Some(como) = self.procurar(quem) {
                    panic!("sem defeito nenhum {nome} já falha: {como}");
                }
                conferidos.push(nome);
            }
        }
    }

    /// Põe o defeito, procura-o e o tira; `None` se ninguém o achou.
    pub fn plantar(&self, defeito: &Defeito) -> Option<String> {
        let caminho = self.fontes.join(defeito.arquivo);
        let certo = self.ler(defeito);
        fs::write(&caminho, certo.replace(defeito.certo, defeito.errado)).unwrap();
        let achado = self.procurar(defeito.quem);
        fs::write(&caminho, certo).unwrap();
        achado
    }

    /// Como este teste falhou; `None` se passou.
    fn procurar(&self, quem: Teste) -> Option<String> {
        let argumentos = quem.argumentos();
        let compilou = self.cargo(&[&argumentos[..], &["--no-run"]].concat());
        let erro = String::from_utf8_lossy(&compilou.stderr);
        assert!(compilou.status.success(), "não compila:\n{erro}");
        let rodou = self.cargo(&argumentos);
        let saida = String::from_utf8_lossy(&rodou.stdout);
        let algum =
            saida.lines().any(|linha| linha.starts_with("test ") && linha.contains(" ... "));
        assert!(algum, "nenhum teste se chama assim: {}\n{saida}", quem.nome());
        if rodou.status.success() {
            return None;
        }
        let entre = |antes: &str, depois: &str| {
            let (_, resto) = saida.split_once(antes)?;
            Some(resto.split_once(depois)?.0.to_owned())
        };
        let relato = entre("no roteiro ", " de ").zip(entre("o invariante «", "»"));
        Some(match relato {
            Some((roteiro, invariante)) => format!("roteiro {roteiro}: {invariante}"),
            None => quem.nome(),
        })
    }

    fn cargo(&self, argumentos: &[&str]) -> Output {
        Command::new(env!("CARGO"))
            .current_dir(&self.fontes)
            .args(["test", "--offline"])
            .args(argumentos)
            .env("CARGO_TARGET_DIR", &self.alvo)
            .env("SIMULACAO_ROTEIROS", ROTEIROS)
            .env_remove("SIMULACAO_SEMENTE")
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap()
    }
}

fn copiar(de: &Path, para: &Path) {
    fs::create_dir_all(para).unwrap();
    for item in fs::read_dir(de).unwrap().map(Result::unwrap) {
        let nome = item.file_name();
        let destino = para.join(&nome);
        if item.file_type().unwrap().is_file() {
            fs::copy(item.path(), destino).unwrap();
        } else if nome == ".cargo" || nome != "target" && !nome.to_string_lossy().starts_with('.') {
            copiar(&item.path(), &destino);
        }
    }
}
