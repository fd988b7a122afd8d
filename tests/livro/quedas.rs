//! O mesmo livro por muitas vidas, cada uma interrompida por um kill -9 em um instante sorteado.
//!
//! `LIVRO_QUEDAS=10000` faz a corrida longa. A semente repete os sorteios, mas não o que o sistema faz
//! entre eles.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{env, thread};

use fastrand::Rng;
use testes::{Cliente, PRAZO, Processo, Servidor, Signal};

use crate::sob_teste::{Arquivo, Fala, Ouvido};

const FREGUESES: usize = 6;

/// Depois de tantas reposições, outro livro: a conferência relê tudo a cada vida.
const REPOSICOES: u32 = 3;

/// Quando o processo cai.
#[derive(Debug, Clone, Copy)]
enum Queda {
    /// Depois de tantas respostas.
    Respostas(usize),
    /// Este tempo depois de os fregueses chegarem.
    Vendendo(Duration),
    /// Este tempo depois de iniciado: ainda lendo o livro, ou talvez o criando.
    Abrindo(Duration),
    /// Este tempo depois de lhe pedirem que feche: talvez passando o WAL a limpo.
    Fechando(Duration),
}

impl Queda {
    fn sortear(sorte: &mut Rng) -> Self {
        let ate = |sorte: &mut Rng, maximo: u64| Duration::from_micros(sorte.u64(0..=maximo));
        match sorte.u32(0..20) {
            0..10 => Queda::Respostas(sorte.usize(1..=150)),
            10..16 => Queda::Vendendo(ate(sorte, 20_000)),
            16..18 => Queda::Abrindo(ate(sorte, 15_000)),
            _ => Queda::Fechando(ate(sorte, 5_000)),
        }
    }
}

/// Um livro, o que se ouviu dele, e quanto já viveu.
struct Historia {
    livro: Arquivo,
    ouvido: Ouvido,
    /// As entradas no estoque, e quantas delas se venderam até a última conferência.
    entradas: u64,
    vendidas: u64,
    reposicoes: u32,
    /// Alguém já o viu aberto?
    nasceu: bool,
}

impl Historia {
    fn nova(sorte: &mut Rng) -> Self {
        Historia {
            livro: Arquivo::novo(),
            ouvido: Ouvido::default(),
            entradas: sorte.u64(1..=600),
            vendidas: 0,
            reposicoes: 0,
            nasceu: false,
        }
    }

    /// Uma vida: abrir, vender, cair, conferir.
    fn viver(&mut self, queda: Queda, sorte: &mut Rng) {
        // Só o livro que ainda não existe precisa que lhe digam com quanto começa.
        let comando = self.livro.comando((!self.nasceu).then_some(self.entradas));
        if let Queda::Abrindo(quando) = queda {
            let mut comando = comando;
            comando.args(["--endereco", "127.0.0.1", "--porta", "0"]);
            let mut processo = Processo::iniciar(comando);
            thread::sleep(quando);
            processo.sinal(Signal::KILL);
            let dito = processo.termino().erro;
            self.nasceu |= dito.starts_with("servidor: ouvindo");
            assert!(!dito.contains("servidor: ") || self.nasceu, "{dito}");
        } else {
            let servidor = Servidor::de(comando);
            self.nasceu = true;
            let abertura = format!("livro: {} de {} vendidas\n", self.vendidas, self.entradas);
            servidor.erro().ate(&abertura, |texto| texto.ends_with(&abertura));
            for fala in vender_ate_cair(servidor, queda, sorte) {
                self.ouvido.anotar(self.entradas, &fala);
            }
        }
        if self.nasceu {
            self.conferir();
        }
    }

    fn conferir(&mut self) {
        self.livro.sozinho_ou_diz_tudo_ou_e_recusado(&self.ouvido);
        let extrato = self.livro.extrato();
        assert_eq!(extrato.entradas, self.entradas);
        assert!(self.vendidas <= extrato.vendidas(), "encolheu");
        self.ouvido.conferir(&extrato);
        self.vendidas = extrato.vendidas();
    }

    /// Ainda dá para vender neste livro, com uma reposição se for o caso?
    fn continua(&mut self, sorte: &mut Rng) -> bool {
        if self.vendidas < self.entradas {
            return true;
        }
        if self.reposicoes == REPOSICOES || sorte.bool() {
            return false;
        }
        let unidades = sorte.u64(1..=300);
        assert_eq!(self.livro.repor(unidades).codigo, Some(0));
        self.entradas += unidades;
        self.reposicoes += 1;
        true
    }
}

/// Os fregueses compram sem parar; o servidor cai; e tudo o que eles ouviram volta.
fn vender_ate_cair(mut servidor: Servidor, queda: Queda, sorte: &mut Rng) -> Vec<Fala> {
    let (dizer, falas) = mpsc::channel();
    let fregueses: Vec<_> = (0..FREGUESES)
        .map(|_| {
            let (cliente, sorte, dizer) = (servidor.cliente(), sorte.fork(), dizer.clone());
            thread::spawn(move || {
                comprar_sem_parar(cliente, sorte, |fala| dizer.send(fala).unwrap())
            })
        })
        .collect();
    drop(dizer);
    let mut ouvidas = esperar(queda, &falas);
    if let Queda::Fechando(quando) = queda {
        servidor.sinal(Signal::TERM);
        thread::sleep(quando);
    }
    servidor.sinal(Signal::KILL);
    // O que já estava a caminho também se ouviu.
    ouvidas.extend(falas);
    for fregues in fregueses {
        fregues.join().unwrap();
    }
    let codigo = servidor.termino().codigo;
    assert!(codigo.is_none() || matches!(queda, Queda::Fechando(_)), "saiu com {codigo:?}");
    ouvidas
}

/// O que se ouviu até a hora da queda.
fn esperar(queda: Queda, falas: &Receiver<Fala>) -> Vec<Fala> {
    match queda {
        Queda::Respostas(quantas) => {
            (0..quantas).map(|_| falas.recv_timeout(PRAZO).unwrap()).collect()
        }
        Queda::Fechando(_) => vec![falas.recv_timeout(PRAZO).unwrap()],
        Queda::Abrindo(tempo) | Queda::Vendendo(tempo) => {
            let hora = Instant::now() + tempo;
            let mut ouvidas = Vec::new();
            loop {
                match falas.recv_timeout(hora.saturating_duration_since(Instant::now())) {
                    Ok(fala) => ouvidas.push(fala),
                    Err(RecvTimeoutError::Timeout) => return ouvidas,
                    Err(RecvTimeoutError::Disconnected) => panic!("caiu sozinho"),
                }
            }
        }
    }
}

/// Compra, ora uma, ora várias de uma vez, e às vezes consulta, até o servidor se ir.
fn comprar_sem_parar(mut cliente: Cliente, mut sorte: Rng, dizer: impl Fn(Fala)) {
    let de = cliente.endereco();
    loop {
        let quantas = if sorte.bool() { 1 } else { sorte.usize(2..=8) };
        let consulta = usize::from(sorte.u32(0..6) == 0);
        cliente.arrisca("COMPRAR\n".repeat(quantas) + &"CONSULTAR\n".repeat(consulta));
        let mut faltam = quantas + consulta;
        while faltam > 0 {
            let Some(linha) = cliente.ouve() else { return };
            faltam -= usize::from(!linha.starts_with("AVISO"));
            dizer(Fala { de, linha });
        }
    }
}

/// Estas quedas, em tantos livros quantos precisar; diz quantas vendas se confirmaram e quantas
/// valeram sem que ninguém as ouvisse.
fn cair(quedas: u64, semente: u64) -> (u64, u64) {
    let mut sorte = Rng::with_seed(semente);
    let mut historia = Historia::nova(&mut sorte);
    let (mut confirmadas, mut inauditas) = (0, 0);
    for numero in 1..=quedas {
        let queda = Queda::sortear(&mut sorte);
        // Se a conferência entrar em pânico, o que aconteceu por último é a pista.
        println!("semente {semente}, queda {numero}: {queda:?}");
        historia.viver(queda, &mut sorte);
        if numero == quedas || !historia.continua(&mut sorte) {
            confirmadas += historia.ouvido.confirmadas();
            inauditas += historia.vendidas - historia.ouvido.confirmadas();
            historia = Historia::nova(&mut sorte);
        }
    }
    (confirmadas, inauditas)
}

#[test]
fn nenhuma_queda_perde_uma_venda_confirmada() {
    let numero = |nome: &str| env::var(nome).ok().map(|texto| texto.parse().expect(nome));
    let quedas: u64 = numero("LIVRO_QUEDAS").unwrap_or(200);
    let semente: u64 = numero("LIVRO_SEMENTE").unwrap_or_else(|| fastrand::u64(..));
    println!("{quedas} quedas; repita os sorteios com LIVRO_SEMENTE={semente}");
    let metade = thread::spawn(move || cair(quedas / 2, semente.wrapping_add(1)));
    let (confirmadas, inauditas) = cair(quedas - quedas / 2, semente);
    let outras = metade.join().unwrap();
    let (confirmadas, inauditas) = (confirmadas + outras.0, inauditas + outras.1);
    println!("{confirmadas} vendas confirmadas, e mais {inauditas} que só o livro conta");
    assert!(confirmadas >= quedas, "o teste quase não vendeu");
}
