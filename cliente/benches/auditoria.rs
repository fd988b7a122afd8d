//! Quanto custa auditar um milhão de operações de mil usuários: `cargo bench --bench auditoria`.
//!
//! Dois casos: um contador certo, e o mesmo com mil defeitos plantados. Sai com 1 se o pior tempo
//! do caso certo passar do limite.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use cliente::auditoria::auditar;
use cliente::conversa::desfecho::Desfecho;
use cliente::historia::vivido::{Conexao, Historia, Operacao};

const USUARIOS: usize = 1000;
const OPERACOES: usize = 1_000_000;
const DEFEITOS: usize = 1000;
const VEZES: usize = 5;
const LIMITE: Duration = Duration::from_secs(2);

/// De quanto em quanto tempo o contador age.
const PASSO: Duration = Duration::from_micros(10);
/// Quantos passos antes e depois de agir cada operação ainda está em curso: menos da metade da volta
/// de um usuário, e por isso as dele não se cruzam, mas centenas de outras, sim.
const EM_CURSO: u32 = 450;

fn main() -> ExitCode {
    // `cargo test --all-targets` também roda este programa, sem otimizar.
    if !std::env::args().any(|argumento| argumento == "--bench") {
        println!("só se mede com cargo bench");
        return ExitCode::SUCCESS;
    }
    // Metade das operações são compras; o estoque acaba com nove décimos delas.
    let estoque = OPERACOES as u64 * 9 / 20;
    let certas = contador_certo(i128::from(estoque));
    let mut erradas = certas.clone();
    plantar(&mut erradas);

    let (pior, quantas) = medir("contador certo", &certas, estoque);
    if quantas > 0 {
        println!("o contador certo foi acusado: a conta desta medição está errada");
        return ExitCode::FAILURE;
    }
    let (_, quantas) = medir("mil defeitos", &erradas, estoque);
    if quantas < DEFEITOS {
        println!("só {quantas} contradições: a conta desta medição está errada");
        return ExitCode::FAILURE;
    }
    if pior > LIMITE {
        println!("o pior tempo do contador certo passou de {LIMITE:?}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// O pior tempo, e quantas contradições a auditoria achou.
fn medir(caso: &str, historias: &[Historia], estoque: u64) -> (Duration, usize) {
    let mut tempos = [Duration::ZERO; VEZES];
    let mut quantas = 0;
    for tempo in &mut tempos {
        let comeco = Instant::now();
        let veredito = auditar(historias, Some(estoque));
        *tempo = comeco.elapsed();
        quantas = veredito.violacoes.len();
    }
    tempos.sort_unstable();
    let (mediana, pior) = (tempos[VEZES / 2], tempos[VEZES - 1]);
    println!(
        "{caso}: {OPERACOES} operações de {USUARIOS} usuários, {quantas} contradições: \
         mediana de {} ms, pior de {} ms, em {VEZES} vezes",
        mediana.as_millis(),
        pior.as_millis()
    );
    (pior, quantas)
}

/// Cada usuário age na sua vez, e consulta e compra alternadamente.
fn contador_certo(mut estoque: i128) -> Vec<Historia> {
    let mut historias: Vec<Historia> =
        (1..=USUARIOS).map(|usuario| Historia { usuario, ..Historia::default() }).collect();
    let mut esgotou = Duration::ZERO;
    for n in 0..OPERACOES as u32 {
        let volta = n as usize / USUARIOS;
        let usuario = n as usize % USUARIOS;
        let age = PASSO * (n + EM_CURSO);
        // Sem sorteio: a mesma medição em toda parte.
        let (antes, depois) = (n.wrapping_mul(7919) % EM_CURSO, n.wrapping_mul(104_729) % EM_CURSO);
        let compra = volta % 2 == 1;
        let desfecho = match (compra, estoque) {
            (false, _) => Desfecho::Leu(estoque),
            (true, 0) => Desfecho::Recusado,
            (true, _) => {
                estoque -= 1;
                esgotou = age;
                Desfecho::Comprou(estoque)
            }
        };
        historias[usuario].operacoes.push(Operacao {
            conexao: 1,
            compra,
            enviada: age - PASSO * antes,
            resposta: Some((age + PASSO * depois, desfecho)),
            ..Operacao::default()
        });
    }
    for historia in &mut historias {
        historia.conexoes.push(Conexao {
            numero: 1,
            respondida: historia.operacoes[0].resposta.as_ref().map(|(quando, _)| *quando),
            avisos: vec![esgotou + PASSO],
            ..Conexao::default()
        });
    }
    historias
}

/// Cada um dos primeiros usuários compra duas vezes a mesma unidade: a primeira, no lugar da consulta
/// que vinha antes.
fn plantar(historias: &mut [Historia]) {
    for historia in historias.iter_mut().take(DEFEITOS) {
        let [consulta, compra, ..] = historia.operacoes.as_mut_slice() else { continue };
        let (Some((quando, _)), Some((_, vendida))) = (&consulta.resposta, &compra.resposta) else {
            continue;
        };
        consulta.compra = true;
        consulta.resposta = Some((*quando, vendida.clone()));
    }
}
