//! Quantas threads cabem no que o sistema dá, sabido antes de abrir a primeira.
//!
//! Faltar algo no meio seria pior: um usuário sem descritor pareceria uma falha do servidor, e uma thread
//! sem mapas para o que a std prepara antes de nós encerra o programa inteiro. Aqui só se contam os limites
//! que se podem saber; o de threads (`ulimit -u`) e o de memória (`ulimit -v`) só se descobrem pedindo, e é
//! o pool quem os descobre.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::sistema;

/// Descritores que não são de usuários, além dos já abertos: os relatórios, o terminal, o rastro de um
/// pânico.
const DESCRITORES_DE_FOLGA: usize = 8;

/// Os mapas de memória de cada thread: a pilha, a pilha dos sinais, e a guarda de cada uma.
const MAPAS_POR_THREAD: usize = 4;

/// Mapas que não são de threads: o programa, as bibliotecas, a memória das histórias.
const MAPAS_DE_FOLGA: usize = 1000;

/// O que sobra de memória depois da última thread. Acima de 32 MiB a glibc a pede sempre ao sistema
/// (mallopt(3), `M_MMAP_THRESHOLD`), e não a tira do que já tem guardado.
const MEMORIA_DE_FOLGA: usize = 48 << 20;

/// O que faltou.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limite {
    /// Descritores: um por usuário conectado.
    Descritores,
    /// Mapas de memória, que o Linux conta por processo.
    Mapas,
    /// As próprias threads.
    Threads,
    /// Os endereços de memória: as pilhas são quem mais os pede.
    Memoria,
}

impl Limite {
    /// O que aumentar para que caibam mais.
    pub fn remedio(self) -> &'static str {
        match self {
            Limite::Descritores => "aumente o limite de descritores, 'ulimit -n'",
            Limite::Mapas => "aumente o limite de mapas de memória, 'sysctl vm.max_map_count'",
            Limite::Threads => "aumente o limite de threads, 'ulimit -u'",
            Limite::Memoria => "aumente o limite de memória, 'ulimit -v'",
        }
    }
}

/// Quantas arenas a glibc usa: mallopt(3), `M_ARENA_MAX`.
pub const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Com a memória limitada, executa este programa de novo, poupando endereços: senão a glibc reserva 64 MiB
/// deles para cada uma das primeiras threads (mallopt(3), `M_ARENA_MAX`), e sobra pouco para as pilhas. A
/// variável só se lê quando um programa começa. Sem limite, ou se não der, não faz nada.
pub fn poupar_enderecos() {
    if !memoria_limitada() || env::var_os(ARENAS).is_some() {
        return;
    }
    if let Ok(este) = este_programa() {
        // Só volta se falhar; aí se segue com menos threads.
        sistema::trocar_por(&este, (ARENAS, "1"));
    }
}

/// Onde está este programa, para executá-lo de novo. No Linux, pelo próprio processo (proc(5)): o caminho pode ter
/// mudado de dono, se alguém o compilou enquanto ele rodava.
///
/// # Errors
///
/// O sistema não diz.
pub fn este_programa() -> io::Result<PathBuf> {
    let pelo_processo = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && pelo_processo.exists() {
        Ok(pelo_processo.to_owned())
    } else {
        env::current_exe()
    }
}

fn memoria_limitada() -> bool {
    sistema::memoria_limitada()
}

/// Que limite não deixou abrir mais threads: se a memória tem um e já não há folga, é ele.
pub fn das_threads() -> Limite {
    if memoria_limitada() && !ha_memoria() { Limite::Memoria } else { Limite::Threads }
}

/// Ainda há endereços de memória para mais uma thread? Pergunta-se pedindo, e devolvendo. Sem folga, a std
/// encerraria o programa inteiro ao preparar a thread nova, ou uma sessão ao guardar o que viveu.
pub fn ha_memoria() -> bool {
    let mut folga: Vec<u8> = Vec::new();
    let ha = folga.try_reserve_exact(MEMORIA_DE_FOLGA).is_ok();
    // Sem isto o otimizador vê que ninguém a usa, e nem a pede.
    std::hint::black_box(&folga);
    ha
}

/// Quantas das `pedidas` cabem, e o que as limita se não são todas.
pub fn cabem(pedidas: usize) -> (usize, Option<Limite>) {
    apertar(pedidas, descritores_livres(pedidas), mapas())
}

/// O menor dos limites que apertam; `mapas` é `None` onde não se contam.
fn apertar(pedidas: usize, descritores: usize, mapas: Option<usize>) -> (usize, Option<Limite>) {
    let por_mapas = mapas.map(|mapas| mapas.saturating_sub(MAPAS_DE_FOLGA) / MAPAS_POR_THREAD);
    let limites = [
        (descritores, Some(Limite::Descritores)),
        (por_mapas.unwrap_or(usize::MAX), Some(Limite::Mapas)),
    ];
    limites
        .into_iter()
        .filter(|(cabem, _)| *cabem < pedidas)
        .min_by_key(|(cabem, _)| *cabem)
        .unwrap_or((pedidas, None))
}

/// Quantos descritores se podem ainda abrir, até `pedidos`, fora os da folga. Pergunta-se abrindo: o
/// limite sozinho não diz quantos já estão em uso.
fn descritores_livres(pedidos: usize) -> usize {
    let livres = sistema::descritores_livres(pedidos + DESCRITORES_DE_FOLGA);
    livres.saturating_sub(DESCRITORES_DE_FOLGA)
}

/// Quantos mapas de memória um processo pode ter, onde o sistema os conta.
fn mapas() -> Option<usize> {
    fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok()
}

#[cfg(test)]
mod testes {
    use super::*;

    #[test]
    fn vale_o_limite_que_mais_aperta() {
        let mapas = |threads| Some(MAPAS_DE_FOLGA + MAPAS_POR_THREAD * threads);
        assert_eq!(apertar(50, 50, mapas(50)), (50, None));
        assert_eq!(apertar(50, 50, None), (50, None));
        assert_eq!(apertar(50, 49, mapas(50)), (49, Some(Limite::Descritores)));
        assert_eq!(apertar(50, 49, mapas(48)), (48, Some(Limite::Mapas)));
        assert_eq!(apertar(50, 7, mapas(48)), (7, Some(Limite::Descritores)));
        assert_eq!(apertar(50, 0, Some(3)), (0, Some(Limite::Descritores)));
    }

    #[test]
    fn o_limite_comum_do_linux_da_para_dezesseis_mil() {
        assert_eq!(apertar(20_000, 20_000, Some(65_530)), (16_132, Some(Limite::Mapas)));
    }
}
