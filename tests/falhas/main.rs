//! A tabela das falhas: o que o mundo faz de errado a um servidor, por sockets de verdade, e um
//! cliente honesto que pergunta o tempo todo e não pode notar.
//!
//! Cada teste é uma linha da tabela: abre o seu servidor, põe o honesto diante dele, faz a falha,
//! confere o que ela não podia estragar e imprime o que mediu:
//!
//! ```text
//! cargo test -p testes --test falhas -- --nocapture
//! FALHAS=completo cargo test --release -p testes --test falhas -- --nocapture --test-threads=1
//! ```
//!
//! Sem `FALHAS=completo`, as quantidades são as que cabem em um `cargo test` comum; com, as da meta.
//! A meta do honesto é um p99 de 10 ms, e ela só é impressa: a máquina de quem testa faz outras
//! coisas, e o que se exige é uma folga que só um defeito alcança. Aqui não se mede vazão.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

// O cargo começa pelo primeiro nome: `demora` espera por prazos de 30 s, e assim os dois que esperam
// esperam juntos.
mod demora;
mod descritores;
mod linhas;
mod memoria;
mod metricas;
mod outro_protocolo;
mod pressa;
mod quedas;
mod registro;
mod sinais;
mod sumidos;
mod volume;

use std::env;
use std::fmt::Display;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};
use tempfile::TempDir;
use testes::{Exame, Honesto, Medida, Servidor, Termino, descritores_para, duracao};

const AVISO: &str = "AVISO: O estoque acabou de esgotar!";
const LINHA_LONGA: &str = "ERRO: Linha longa demais\n";
const PERDIDAS: &str = "linhas de registro perdidas";
const MIB: u64 = 1024 * 1024;

/// O passo comum do honesto; mais devagar, só onde se mede o processador do servidor.
const PAUSA: Duration = Duration::from_millis(1);

/// Quanto o honesto pode esperar, em 99 de cada cem vezes, na pior das máquinas.
const ESPERA_HONESTA: Duration = Duration::from_millis(500);

/// Quantas vezes se faz a falha: `comum`, ou `completo` com `FALHAS=completo`.
fn quantas(comum: usize, completo: usize) -> usize {
    if env::var("FALHAS").is_ok_and(|valor| valor == "completo") { completo } else { comum }
}

fn compra(restante: usize) -> String {
    format!("Compra realizada. Estoque restante: {restante}")
}

/// Um servidor posto à prova: o honesto diante dele, e a memória que tinha antes.
struct Prova {
    servidor: Servidor,
    exame: Exame,
    honesto: Honesto,
    memoria: u64,
    registro: Option<TempDir>,
}

/// O que ficou da prova, com o servidor já encerrado em ordem.
#[must_use = "uma prova acaba na sua linha da tabela"]
struct Fim {
    termino: Termino,
    honesto: Medida,
    /// Quanto a memória do servidor cresceu no pior instante.
    cresceu: u64,
    registro: Option<TempDir>,
}

impl Prova {
    /// Abre um servidor que registra em um arquivo: o registro trabalha, e ninguém o lê à força.
    fn abrir(opcoes: &[&str]) -> Self {
        let pasta = tempfile::tempdir().unwrap();
        let arquivo = pasta.path().join("registro");
        let servidor =
            Servidor::abrir(&[opcoes, &["--registro", arquivo.to_str().unwrap()]].concat());
        Prova { registro: Some(pasta), ..Prova::diante_de(servidor, PAUSA) }
    }

    /// Põe o honesto, que descansa esta `pausa`, diante de um servidor já aberto.
    fn diante_de(servidor: Servidor, pausa: Duration) -> Self {
        // A maior das falhas abre uns cinco mil sockets, e os testes correm aos pares.
        descritores_para(15_000);
        let honesto = Honesto::iniciar(servidor.endereco(), pausa);
        let exame = servidor.exame();
        let mut prova = Prova { servidor, exame, honesto, memoria: 0, registro: None };
        prova.marcar_memoria();
        prova
    }

    /// A memória que cresceu conta daqui em diante.
    fn marcar_memoria(&mut self) {
        self.exame.zerar_pico();
        self.memoria = self.exame.memoria();
    }

    fn endereco(&self) -> SocketAddr {
        self.servidor.endereco()
    }

    /// Acabou a falha: para o honesto e encerra o servidor.
    fn concluir(self) -> Fim {
        let Prova { mut servidor, exame, honesto, memoria, registro } = self;
        let cresceu = exame.pico().saturating_sub(memoria);
        let honesto = honesto.parar();
        let termino = servidor.encerrar();
        assert_eq!(termino.codigo, Some(0), "{termino:?}");
        Fim { termino, honesto, cresceu, registro }
    }
}

impl Fim {
    /// Imprime a linha da tabela e confere o honesto.
    fn relatar(self, falha: &str, medido: impl Display) {
        self.relatar_ate(ESPERA_HONESTA, falha, medido);
    }

    /// O mesmo, onde a meta do honesto é outra.
    fn relatar_ate(self, espera: Duration, falha: &str, medido: impl Display) {
        let memoria = format!("{:.2}", self.cresceu as f64 / MIB as f64).replace('.', ",");
        println!("falha | {falha} | {medido} | {} | memória: +{memoria} MiB", self.honesto);
        assert!(self.honesto.p99 < espera, "{falha}: {}", self.honesto);
    }

    /// Os comandos dos outros: a conta do servidor, menos os do honesto.
    fn comandos(&self) -> u64 {
        self.termino.conta("comandos") - self.honesto.respostas
    }

    /// Quantas linhas do registro têm `trecho`.
    fn no_registro(&self, trecho: &str) -> usize {
        self.linhas_do_registro().filter(|linha| linha.contains(trecho)).count()
    }

    /// O registro, linha a linha: o de uma tempestade não se lê inteiro de uma vez.
    fn linhas_do_registro(&self) -> impl Iterator<Item = String> {
        let pasta = self.registro.as_ref().expect("esta prova não registra em arquivo");
        let arquivo = File::open(pasta.path().join("registro")).unwrap();
        BufReader::new(arquivo).lines().map(|linha| linha.unwrap())
    }
}

/// Uma conexão que nunca faz o teste esperar.
fn sem_bloqueio(endereco: SocketAddr) -> TcpStream {
    let fluxo = TcpStream::connect(endereco).unwrap();
    fluxo.set_nonblocking(true).unwrap();
    fluxo
}

/// O que uma tentativa, em um socket que não bloqueia, conseguiu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tentativa {
    Andou(usize),
    Esperaria,
    /// Só de quem lê: o outro lado fechou em ordem.
    Fim,
    Quebrou,
}

fn tentativa(resultado: std::io::Result<usize>) -> Tentativa {
    match resultado {
        Ok(0) => Tentativa::Fim,
        Ok(n) => Tentativa::Andou(n),
        Err(erro) if erro.kind() == std::io::ErrorKind::WouldBlock => Tentativa::Esperaria,
        Err(_) => Tentativa::Quebrou,
    }
}
