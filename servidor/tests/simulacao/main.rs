//! A simulação determinística: o turno de produção (`Balcao<FluxoFalso>`) contra roteiros ao acaso.
//!
//! De uma semente sai um roteiro de 200 eventos ([`evento`]): clientes que entram, mandam pedaços de
//! linhas, param de ler, fecham, quebram; eventos que chegam tarde, em dobro ou sem causa; o relógio
//! que anda; o operador que encerra; a luz que falta. Um sistema operacional de mentira, mais severo que o Linux
//! ([`fluxo`]), anota o que o balcão faz com cada socket; uma segunda versão do servidor, minúscula
//! ([`oraculo`]), diz o que ele devia ter feito; e depois de cada turno as duas têm de concordar, em
//! cada byte ([`mundo`]). É o que fazem os simuladores do FoundationDB e do TigerBeetle, em ponto
//! pequeno, e é possível porque o balcão não conhece sockets, não olha o relógio e não tem threads.
//!
//! Quando um invariante falha, o roteiro é encolhido ([`encolher`]) e impresso, com o comando que o
//! repete:
//!
//! ```text
//! SIMULACAO_SEMENTE=123 cargo test -p servidor --test simulacao     só este roteiro
//! SIMULACAO_ROTEIROS=10000000 cargo test --release -p servidor --test simulacao -- --nocapture
//! ```
//!
//! Com as duas variáveis, a primeira semente e quantos roteiros. `cargo bench -p testes --bench
//! defeitos` planta defeitos na produção e confere que a simulação acha cada um.
//!
//! Aqui não há sockets, mio, sinais nem o texto do registro: disso cuidam os testes de ponta a ponta.
//! As cenas escritas à mão, uma por regra, estão em `servidor/tests/turno`.

use std::cell::{Cell, RefCell};
use std::env;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

mod encolher;
mod enquadramento;
mod evento;
mod ficha;
mod fluxo;
mod livro_de_mentira;
mod mundo;
mod oraculo;
mod veredito;

use evento::{Evento, Roteiro};
use mundo::Rastro;
use veredito::{Falha, Veredito};

/// Quantos roteiros um `cargo test` comum experimenta.
const ROTEIROS: u64 = 20_000;

/// De quantos em quantos uma thread os pega.
const PUNHADO: u64 = 32;

#[test]
fn roteiros_ao_acaso_nao_mudam_os_invariantes() {
    calar_panicos_de_roteiro();
    let semente = variavel("SIMULACAO_SEMENTE");
    let primeira = semente.unwrap_or(0);
    let roteiros = variavel("SIMULACAO_ROTEIROS").unwrap_or(semente.map_or(ROTEIROS, |_| 1));
    let inicio = Instant::now();
    let soma = simular(primeira, roteiros);
    let segundos = inicio.elapsed().as_secs_f64();
    if let Some(semente) = soma.falhou {
        panic!("no roteiro {} de {roteiros}: {}", semente - primeira + 1, relatorio(semente));
    }
    println!(
        "{roteiros} roteiros, {} eventos, {segundos:.1} s, impressão {:016x}",
        soma.eventos, soma.impressao
    );
}

#[test]
fn a_mesma_semente_da_o_mesmo_rastro() {
    for semente in 0..50 {
        let vezes = [0, 1].map(|_| {
            let mut rastro = Rastro::novo(true);
            let veredito = executar(&Roteiro::sortear(semente), None, &mut rastro);
            assert_eq!(veredito, Ok(()));
            rastro
        });
        assert_eq!(vezes[0].impressao, vezes[1].impressao);
        assert_eq!(vezes[0].linhas, vezes[1].linhas);
    }
}

#[test]
fn sementes_vizinhas_dao_rastros_diferentes() {
    let impressao = |semente| simular(semente, 1).impressao;
    assert_ne!(impressao(1), impressao(2));
}

#[test]
fn encolher_deixa_so_o_que_importa() {
    let lista: Vec<u32> = (0..200).collect();
    let falha = |lista: &[u32]| lista.contains(&17) && lista.contains(&130);
    assert_eq!(encolher::encolher(&lista, falha), [17, 130]);
}

fn variavel(nome: &str) -> Option<u64> {
    let texto = env::var(nome).ok()?;
    let numero = texto.parse().ok();
    assert!(numero.is_some(), "{nome}={texto} não é um número");
    numero
}

/// O que muitos roteiros deram.
#[derive(Debug, Default)]
struct Soma {
    eventos: u64,
    /// A soma das impressões: não depende de que thread executou o quê.
    impressao: u64,
    /// A menor semente que falhou.
    falhou: Option<u64>,
}

/// Executa os roteiros, repartidos pelas threads que houver; para no primeiro que falha.
fn simular(primeira: u64, roteiros: u64) -> Soma {
    let proximo = AtomicU64::new(0);
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|escopo| {
        let trabalhar = || simular_punhados(primeira, roteiros, &proximo);
        let threads: Vec<_> = (0..threads).map(|_| escopo.spawn(trabalhar)).collect();
        threads.into_iter().fold(Soma::default(), |soma, thread| {
            let parte = thread.join().unwrap_or_else(|panico| panic::resume_unwind(panico));
            Soma {
                eventos: soma.eventos + parte.eventos,
                impressao: soma.impressao.wrapping_add(parte.impressao),
                falhou: soma.falhou.into_iter().chain(parte.falhou).min(),
            }
        })
    })
}

fn simular_punhados(primeira: u64, roteiros: u64, proximo: &AtomicU64) -> Soma {
    let mut soma = Soma::default();
    loop {
        let inicio = proximo.fetch_add(PUNHADO, Ordering::Relaxed);
        for i in inicio..(inicio + PUNHADO).min(roteiros) {
            let roteiro = Roteiro::sortear(primeira + i);
            let mut rastro = Rastro::novo(false);
            if executar(&roteiro, None, &mut rastro).is_err() {
                // Ninguém pega mais nada; um roteiro de número menor já está na mão de alguém.
                proximo.store(roteiros, Ordering::Relaxed);
                soma.falhou = Some(primeira + i);
                return soma;
            }
            soma.eventos += roteiro.eventos.len() as u64;
            soma.impressao = soma.impressao.wrapping_add(rastro.impressao);
        }
        if inicio >= roteiros {
            return soma;
        }
    }
}

thread_local! {
    static NO_ROTEIRO: Cell<bool> = const { Cell::new(false) };
    static PANICO: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Um pânico da produção é uma falha como as outras: não precisa do seu próprio relato.
fn calar_panicos_de_roteiro() {
    let de_costume = panic::take_hook();
    panic::set_hook(Box::new(move |panico| {
        if NO_ROTEIRO.get() {
            PANICO.replace(panico.to_string());
        } else {
            de_costume(panico);
        }
    }));
}

/// Executa o roteiro, ou só os eventos dados. Um pânico é a falha de um invariante.
fn executar(roteiro: &Roteiro, eventos: Option<&[Evento]>, rastro: &mut Rastro) -> Veredito {
    let eventos = eventos.unwrap_or(&roteiro.eventos);
    NO_ROTEIRO.set(true);
    let fim = panic::catch_unwind(AssertUnwindSafe(|| mundo::executar(roteiro, eventos, rastro)));
    NO_ROTEIRO.set(false);
    fim.unwrap_or_else(|_| veredito::falha("nada entra em pânico", PANICO.take()))
}

/// A falha desta semente, encolhida, para ler.
fn relatorio(semente: u64) -> String {
    let roteiro = Roteiro::sortear(semente);
    let falha = |eventos: &[Evento], rastro: &mut Rastro| -> Option<Falha> {
        executar(&roteiro, Some(eventos), rastro).err().map(|falha| *falha)
    };
    let Some(original) = falha(&roteiro.eventos, &mut Rastro::novo(false)) else {
        return format!(
            "a semente {semente} falhou uma vez, e não de novo: há acaso fora do roteiro"
        );
    };
    let menor = encolher::encolher(&roteiro.eventos, |eventos| {
        let outra = falha(eventos, &mut Rastro::novo(false));
        outra.is_some_and(|outra| outra.invariante == original.invariante)
    });
    let mut rastro = Rastro::novo(true);
    let encolhida = falha(&menor, &mut rastro).unwrap_or(original);
    let linhas = rastro.linhas.unwrap_or_default().join("\n  ");
    format!(
        "o invariante «{}» não valeu.\n\n  {linhas}\n\n{}\n\n\
         Encolhido de {} para {} eventos. Para repetir:\n\
         SIMULACAO_SEMENTE={semente} cargo test -p servidor --test simulacao\n",
        encolhida.invariante,
        encolhida.detalhe,
        roteiro.eventos.len(),
        menor.len(),
    )
}
