//! O vigia: soma a memória de tudo o que o avaliador abriu e, se passa do limite, derruba. Os limites do sistema são de
//! cada processo; a soma só se sabe olhando.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use protocolo::terminal::abrir_thread;
use rustix::process::{Pid, Signal, getpid, kill_process};

use crate::avaliacao::processos::{descendentes, memoria, memoria_dividida};

/// De quanto em quanto tempo olha.
const ENTRE_OLHADAS: Duration = Duration::from_millis(50);

/// Põe o vigia a olhar, até o fim do programa; o que devolve diz se ele já precisou derrubar alguém.
pub fn vigiar(limite: u64) -> Arc<AtomicBool> {
    let passou = Arc::new(AtomicBool::new(false));
    let dito = Arc::clone(&passou);
    let este = getpid().as_raw_nonzero().get();
    let olhar = move || loop {
        // Quem abre um processo por cliente divide com ele quase toda a memória: isso não é gastá-la duas vezes.
        if memoria(este) > limite && memoria_dividida(este) > limite {
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
