//! O cliente honesto: pergunta, ouve, descansa, e anota quanto esperou.
//!
//! É a testemunha dos testes de falha: o que os outros clientes façam de errado só importa se chegar
//! a ele. Não compra nada, e por isso não muda a conta de ninguém.

use std::fmt;
use std::net::SocketAddr;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::Cliente;

const AVISO: &str = "AVISO: O estoque acabou de esgotar!";
const ENCERRANDO: &str = "ERRO: Servidor encerrando";

/// Um cliente que manda CONSULTAR, espera a resposta e recomeça, até mandarem parar.
#[derive(Debug)]
pub struct Honesto {
    parar: Arc<AtomicBool>,
    thread: JoinHandle<Diario>,
}

/// O que o honesto viveu.
#[derive(Debug, Default)]
struct Diario {
    esperas: Vec<Duration>,
    avisos: u64,
    /// O servidor fechou, em ordem, antes de o mandarem parar.
    fecharam: bool,
}

/// Quanto o honesto esperou por cada resposta.
#[derive(Debug, Clone, Copy)]
pub struct Medida {
    /// Quantas respostas ouviu.
    pub respostas: u64,
    /// Quantos AVISOs ouviu.
    pub avisos: u64,
    /// Metade esperou menos que isto.
    pub p50: Duration,
    /// De cada cem, 99 esperaram menos que isto.
    pub p99: Duration,
    /// A maior espera.
    pub max: Duration,
}

impl Honesto {
    /// Conecta e começa a perguntar, com esta `pausa` entre uma resposta e a próxima pergunta. Quando
    /// volta, a primeira resposta já veio.
    ///
    /// # Panics
    ///
    /// Não há quem atenda.
    pub fn iniciar(servidor: SocketAddr, pausa: Duration) -> Self {
        let mut cliente = Cliente::conectar(servidor);
        let mut diario = Diario::default();
        diario.perguntar(&mut cliente);
        let parar = Arc::new(AtomicBool::new(false));
        let mandaram = Arc::clone(&parar);
        let thread = thread::spawn(move || {
            while !mandaram.load(Ordering::Relaxed) && !diario.fecharam {
                thread::sleep(pausa);
                diario.perguntar(&mut cliente);
            }
            diario
        });
        Honesto { parar, thread }
    }

    /// Manda parar; a conexão fecha.
    ///
    /// # Panics
    ///
    /// Uma resposta não foi a de CONSULTAR, não veio, ou o servidor fechou.
    pub fn parar(self) -> Medida {
        self.parar.store(true, Ordering::Relaxed);
        let diario = ouvir(self.thread);
        assert!(!diario.fecharam, "o servidor fechou a conexão do cliente honesto");
        diario.medida()
    }

    /// Espera o servidor fechar em ordem a conexão, porque está terminando.
    ///
    /// # Panics
    ///
    /// Uma resposta não foi a de CONSULTAR, ou a conexão quebrou.
    pub fn ate_o_fim(self) -> Medida {
        ouvir(self.thread).medida()
    }
}

/// O que a thread viveu; o pânico dela é o deste teste.
fn ouvir(thread: JoinHandle<Diario>) -> Diario {
    thread.join().unwrap_or_else(|panico| panic::resume_unwind(panico))
}

impl Diario {
    fn perguntar(&mut self, cliente: &mut Cliente) {
        let antes = Instant::now();
        cliente.manda("CONSULTAR\n");
        loop {
            let linha = cliente.linha_ou_fim().filter(|linha| linha != ENCERRANDO);
            let Some(linha) = linha else {
                self.fecharam = true;
                return;
            };
            if linha == AVISO {
                self.avisos += 1;
                continue;
            }
            assert!(linha.starts_with("Estoque atual: "), "o honesto ouviu {linha:?}");
            self.esperas.push(antes.elapsed());
            return;
        }
    }

    fn medida(mut self) -> Medida {
        self.esperas.sort_unstable();
        let ultima = self.esperas.len() - 1;
        let percentil = |cem: usize| self.esperas[ultima * cem / 100];
        Medida {
            respostas: self.esperas.len() as u64,
            avisos: self.avisos,
            p50: percentil(50),
            p99: percentil(99),
            max: percentil(100),
        }
    }
}

/// Uma duração como a tabela a mostra.
pub fn duracao(espera: Duration) -> String {
    let segundos = espera.as_secs_f64();
    let texto = if segundos >= 1.0 {
        format!("{segundos:.1} s")
    } else {
        format!("{:.2} ms", segundos * 1000.0)
    };
    texto.replace('.', ",")
}

impl fmt::Display for Medida {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms =
            |espera: Duration| format!("{:.2} ms", espera.as_secs_f64() * 1000.0).replace('.', ",");
        let [p50, p99, max] = [self.p50, self.p99, self.max].map(ms);
        write!(f, "honesto: {} respostas, p50 {p50}, p99 {p99}, máx {max}", self.respostas)
    }
}
