//! Quanto custam cinco mil usuários ao `cliente`: quanto ele demora a ter todos conectados, quanto
//! processador gasta por troca, quanta memória por usuário, e que fração do tempo trabalha em vez de
//! esperar.
//!
//! `cargo run --release -p testes --example cinco_mil`; só Linux. Mede o cliente, e não o servidor: este é o nosso, com
//! estoque que não acaba, no mesmo computador. Não compara com nada nem exige nada: mostra.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::thread;
use std::time::{Duration, Instant};

use testes::{Processo, Servidor, ate, comando, conta, descritores_para, veredito};

const USUARIOS: u64 = 5000;

/// O `--acelerar 20` vale, e não o 100 de sempre: cinco mil usuários cem vezes mais depressa que a vida
/// pediriam 120 mil trocas por segundo, e mediríamos a falta de processador.
const OPCOES: &str = "--usuarios 5000 --acelerar 20 --ciclos 10 --semente 1";

fn main() {
    descritores_para(USUARIOS + 100);
    let servidor = Servidor::abrir(&["--silencioso", "--estoque", "1000000"]);
    let sem_ninguem = servidor.exame().descritores() as u64;
    let opcoes = format!("--servidor {} {OPCOES}", servidor.endereco());
    let comeco = Instant::now();
    let mut cliente = Processo::iniciar(comando("cliente", opcoes.split(' ')));
    ate("todos conectarem", || {
        (servidor.exame().descritores() as u64 >= sem_ninguem + USUARIOS).then_some(())
    });
    let conectados = comeco.elapsed();
    // Já todos trocaram algo, e ninguém terminou: o mais curto dos roteiros leva quase três segundos.
    thread::sleep(Duration::from_secs(1));
    let memoria = cliente.exame().memoria();
    cliente.saida.ate("o veredito", |texto| texto.contains("Veredito: "));
    // Até ser removido, um processo que terminou ainda diz quanto gastou.
    let processador = cliente.exame().processador();
    let duracao = comeco.elapsed();
    let fim = cliente.termino();
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");

    let trocas: u64 = ["consultas", "vendas", "recusas"].map(|nome| conta(&fim, nome)).iter().sum();
    let por_troca = processador.as_secs_f64() * 1e6 / trocas as f64;
    let nucleos = thread::available_parallelism().map_or(1, usize::from);
    let fracao = processador.as_secs_f64() / duracao.as_secs_f64() / nucleos as f64;
    println!("cliente {OPCOES}\n");
    println!("  usuários                  {USUARIOS}, falhas: {}", conta(&fim, "falhas"));
    println!("  todos conectados em       {:.2} s", conectados.as_secs_f64());
    println!("  trocas                    {trocas} em {:.1} s", duracao.as_secs_f64());
    println!("  processador por troca     {por_troca:.1} µs, com o começo e o fim");
    println!("  memória por usuário       {:.1} KiB", memoria as f64 / 1024.0 / USUARIOS as f64);
    println!("  trabalhando               {:.0}% do tempo de {nucleos} núcleos", fracao * 100.0);
}
