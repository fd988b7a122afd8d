//! Poucos clusters de cada vez: cada um são três processos que elegem um líder em meio segundo, e com a máquina cheia
//! deles a eleição não acaba. O que limita é isto, e não quantas threads de teste há.
//!
//! Um só teste abre dois clusters: se fossem dois a fazê-lo, cada um com o primeiro ficaria à espera do outro.

use std::sync::{Condvar, Mutex, PoisonError};

const CLUSTERS: usize = 2;

static ABERTOS: Mutex<usize> = Mutex::new(0);
static FECHOU: Condvar = Condvar::new();

/// O lugar de um cluster; devolve-se quando ele acaba.
#[derive(Debug)]
pub struct Vaga(());

impl Vaga {
    /// Espera que haja uma.
    pub fn esperar() -> Self {
        // Um teste que falhou com a trava na mão não impede os outros.
        let abertos = ABERTOS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut abertos = FECHOU
            .wait_while(abertos, |abertos| *abertos == CLUSTERS)
            .unwrap_or_else(PoisonError::into_inner);
        *abertos += 1;
        Vaga(())
    }
}

impl Drop for Vaga {
    fn drop(&mut self) {
        *ABERTOS.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        FECHOU.notify_one();
    }
}
