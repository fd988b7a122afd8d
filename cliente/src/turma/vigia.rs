//! O vigia: soma a memória de tudo o que o avaliador abriu e, se passa do limite, derruba. Os limites do sistema são de
//! cada processo; a soma só se sabe olhando. Conta também os arquivos, que mesmo vazios ocupam o sistema.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use protocolo::terminal::abrir_thread;
use rustix::fs::statvfs;
use rustix::process::{Pid, Signal, getpid, kill_process};

use super::cela;
use crate::avaliacao::processos::{descendentes, memoria, memoria_dividida};

/// De quanto em quanto tempo olha.
const ENTRE_OLHADAS: Duration = Duration::from_millis(50);

/// Quanto o sistema gasta para saber de um arquivo, mais ou menos.
const DE_UM_ARQUIVO: u64 = 1024;

/// Põe o vigia a olhar, até o fim do programa; o que devolve diz se ele já precisou derrubar alguém.
pub fn vigiar(limite: u64) -> Arc<AtomicBool> {
    let passou = Arc::new(AtomicBool::new(false));
    let dito = Arc::clone(&passou);
    let este = getpid().as_raw_nonzero().get();
    let olhar = move || loop {
        let resto = limite.saturating_sub(de_arquivos(este));
        // Quem abre um processo por cliente divide com ele quase toda a memória: isso não é gastá-la duas vezes.
        if memoria(este) > resto && memoria_dividida(este) > resto {
            dito.store(true, Ordering::Release);
            for processo in descendentes(este).into_iter().filter_map(Pid::from_raw) {
                // Quem já se foi não recebe, e tanto faz.
                let _ = kill_process(processo, Signal::KILL);
            }
        }
        thread::sleep(ENTRE_OLHADAS);
    };
    // Sem a thread, valem os limites de cada processo.
    let _ = abrir_thread("vigia", olhar);
    passou
}

/// O que gastam os arquivos das pastas em que o aluno escreve, como um processo dele as vê: sem nenhum, não se sabe.
fn de_arquivos(este: i32) -> u64 {
    let gasto = |processo: i32| {
        let pastas = [cela::TRABALHO, cela::TROCAS, "/tmp", "/dev/shm"].into_iter();
        let discos = pastas.map(|pasta| statvfs(format!("/proc/{processo}/root{pasta}")));
        let arquivos = discos.flatten().map(|disco| disco.f_files.saturating_sub(disco.f_ffree));
        arquivos.sum::<u64>() * DE_UM_ARQUIVO
    };
    // O último é o mais distante do avaliador: vê as pastas da cela de dentro.
    descendentes(este).into_iter().rev().map(gasto).find(|gasto| *gasto > 0).unwrap_or_default()
}
