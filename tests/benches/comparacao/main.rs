//! O servidor ao lado dos outros: o mesmo gerador de carga contra cada um, em rodadas alternadas, e só as
//! razões importam. `cargo bench -p testes --bench comparacao` mede tudo (uns minutos, com a máquina
//! parada); `-- --rapida` só mostra que funciona; `-- --ajuda` diz o resto.
//!
//! Compara com quem estiver instalado (Redis, memcached, PostgreSQL, Python) e sempre com o piso
//! (`servidor/examples/eco.rs`) e o modelo de threads; quem faltar aparece na tabela, com o motivo. Escreve
//! cada rodada em um JSON sob `target/`. Não decide nada: uma meta por cumprir é um ✗ na tela, e o código
//! de saída é 0.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aviso;
#[allow(dead_code)] // dos testes do estoque partilhado, de que aqui só se usa parte
#[path = "../../partilhado/cluster.rs"]
mod cluster;
#[path = "../../partilhado/elos.rs"]
mod elos;
mod fala;
mod gasto;
mod gerador;
mod graficos;
mod maquina;
mod memoria;
mod metas;
mod opcoes;
mod pares;
mod partilhado;
mod postgres;
mod relatorio;
#[path = "../../partilhado/vaga.rs"]
mod vaga;
mod vazao;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use protocolo::terminal::ler_opcoes;

use crate::maquina::Maquina;
use crate::opcoes::{Opcoes, Tabela, Tempos};
use crate::pares::Par;
use crate::relatorio::{Repetida, Resultado};
use crate::vazao::Quadro;

/// A quantos se avisa.
const OUVINTES: [usize; 2] = [1000, 9000];

fn main() -> ExitCode {
    let opcoes: Opcoes = match ler_opcoes(std::env::args_os()) {
        Ok(opcoes) => opcoes,
        Err(codigo) => return codigo,
    };
    // Os servidores herdam o limite: cada um também precisa de um descritor por conexão.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    if opcoes.quer_o_partilhado() {
        partilhado::comparar(&opcoes);
        return ExitCode::SUCCESS;
    }
    let resultado = medir(&opcoes);
    if resultado.tempos.chegam() {
        metas::mostrar(&resultado);
    } else {
        println!("\nSem razões nem metas: para comparar, 3 rodadas de 1s ou mais.");
    }
    let json = Path::new(env!("CARGO_TARGET_TMPDIR")).join("comparacao.json");
    fs::write(&json, format!("{:#}\n", resultado.json())).unwrap();
    println!("\nCada rodada: {}", json.display());
    if opcoes.graficos {
        let pasta = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/comparacao");
        let escritos = graficos::escrever(&resultado, &pasta).unwrap();
        println!("Gráficos em {}: {}", pasta.display(), escritos.join(", "));
    }
    ExitCode::SUCCESS
}

fn medir(opcoes: &Opcoes) -> Resultado {
    let maquina = Maquina::esta();
    println!("{} (carga média antes: {})", maquina.descrever(), maquina.carga);
    println!(
        "O servidor e o gerador precisam de um núcleo cada: com outros programas em curso, ou com o"
    );
    println!(
        "gerador a uns 50%, valem as colunas de CPU e de memória, e não as de vazão e latência."
    );
    for par in Par::RAPIDOS.into_iter().chain(Par::DURAVEIS) {
        println!("  {:<18} {}", par.nome(), par.descricao());
    }
    let tempos = opcoes.tempos();
    Resultado {
        maquina,
        tempos,
        rapidos: quadros(opcoes, Tabela::Vazao, &Par::RAPIDOS, Par::Servidor, &tempos),
        duraveis: quadros(opcoes, Tabela::Duraveis, &Par::DURAVEIS, Par::ServidorLivro, &tempos),
        memoria: memorias(opcoes, &tempos),
        avisos: avisos(opcoes, &tempos),
    }
}

fn quadros(
    opcoes: &Opcoes,
    tabela: Tabela,
    grupo: &[Par],
    nosso: Par,
    tempos: &Tempos,
) -> Vec<Quadro> {
    if !opcoes.quer(tabela) {
        return Vec::new();
    }
    let pares = opcoes.pares(grupo);
    let celulas = opcoes.celulas(tabela).into_iter();
    celulas
        .map(|celula| {
            let quadro = Quadro::medir(celula, &pares, tempos);
            relatorio::mostrar_quadro(&quadro, nosso, tempos);
            quadro
        })
        .collect()
}

fn memorias(opcoes: &Opcoes, tempos: &Tempos) -> Vec<Repetida<memoria::Parada>> {
    if !opcoes.quer(Tabela::Memoria) {
        return Vec::new();
    }
    let cabem = |par: &Par| par.aceita(tempos.paradas, 1);
    let pares: Vec<Par> = opcoes.pares(&Par::RAPIDOS).into_iter().filter(cabem).collect();
    // Varia pouco: três vezes bastam.
    let vezes = tempos.rodadas.min(3);
    let memoria = repetir(&pares, vezes, |par| memoria::medir(par, tempos));
    relatorio::mostrar_memoria(&memoria, tempos.paradas);
    memoria
}

fn avisos(opcoes: &Opcoes, tempos: &Tempos) -> Vec<(usize, Vec<Repetida<aviso::Transmissao>>)> {
    if !opcoes.quer(Tabela::Aviso) {
        return Vec::new();
    }
    let pares = opcoes.pares(&aviso::PARES);
    // Um aviso dura milissegundos: repete-se mais do que uma janela de um segundo.
    let vezes = 3 * tempos.rodadas;
    OUVINTES
        .map(|ouvintes| {
            let avisos = repetir(&pares, vezes, |par| aviso::medir(par, ouvintes));
            relatorio::mostrar_aviso(ouvintes, &avisos, tempos);
            (ouvintes, avisos)
        })
        .into()
}

/// Cada par uma vez, e depois outra: o que atrapalhar a máquina atrapalha a todos.
fn repetir<T>(
    pares: &[Par],
    vezes: usize,
    medir: impl Fn(Par) -> Result<T, String>,
) -> Vec<Repetida<T>> {
    let mut todas: Vec<Repetida<T>> =
        pares.iter().map(|par| Repetida { par: *par, medidas: Ok(Vec::new()) }).collect();
    for _ in 0..vezes {
        for Repetida { par, medidas } in &mut todas {
            match medidas.as_mut().ok().map(|_| medir(*par)) {
                Some(Ok(medida)) => medidas.as_mut().unwrap().push(medida),
                Some(Err(motivo)) => *medidas = Err(motivo),
                None => {}
            }
        }
    }
    todas
}
