//! Os sinais, de quando o programa começa até o laço os ouvir. Não encerra nada: acorda quem encerra.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use mio::Waker;
use protocolo::terminal::{AoDesligar, ao_receberem_sinais};

/// Quem ouve os sinais, desde o começo do programa.
#[derive(Debug, Clone, Default)]
pub struct Parada(Arc<Ouvintes>);

/// A quem os sinais chegam. Cada um se põe uma vez, quando passa a existir.
#[derive(Default)]
struct Ouvintes {
    /// Pediram que se encerre.
    parar: AtomicBool,
    /// Acorda o laço, que encerra em ordem. Fica aqui porque, solta, o epoll esquece o toque.
    acordador: OnceLock<Waker>,
    /// Pede que o registro seja reaberto.
    reabrir: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl fmt::Debug for Ouvintes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ouvintes").field("acordador", &self.acordador).finish_non_exhaustive()
    }
}

impl Parada {
    /// Passa a ouvir os sinais. Até haver um laço, o primeiro encerra o programa na hora, com o código 0:
    /// ninguém foi atendido, e um livro que se estava abrindo aguenta uma queda. Um SIGHUP pede que o
    /// registro seja reaberto, se `tem_registro`; se não, é o terminal que fechou, e encerra como os outros.
    ///
    /// # Errors
    ///
    /// O sistema não deixou tratar os sinais, ou não deu a thread.
    pub fn ouvir(tem_registro: bool) -> io::Result<Self> {
        let parada = Parada::default();
        let (para_parar, para_reabrir) = (Arc::clone(&parada.0), Arc::clone(&parada.0));
        let reabrir = move || para_reabrir.reabrir.get().into_iter().for_each(|reabrir| reabrir());
        let desligar =
            if tem_registro { AoDesligar::Chamar(Box::new(reabrir)) } else { AoDesligar::Parar };
        ao_receberem_sinais("servidor", desligar, move || {
            para_parar.parar.store(true, Ordering::Release);
            match para_parar.acordador.get() {
                // Se nem acordar o laço se consegue, resta o segundo sinal.
                Some(acordador) => drop(acordador.wake()),
                None => std::process::exit(0),
            }
        })?;
        Ok(parada)
    }

    /// Daqui em diante há um laço: um sinal o acorda, e ele encerra em ordem.
    pub(super) fn acordar_o_laco(&self, acordador: Waker) {
        // Só há um laço.
        let _ = self.0.acordador.set(acordador);
    }

    /// O que se faz quando pedem que o registro seja reaberto.
    pub(super) fn ao_reabrir(&self, reabrir: impl Fn() + Send + Sync + 'static) {
        let _ = self.0.reabrir.set(Box::new(reabrir));
    }

    /// Já pediram que se encerre?
    pub(super) fn pediram(&self) -> bool {
        self.0.parar.load(Ordering::Acquire)
    }

    /// O que acorda o laço, de qualquer outra thread; antes de haver laço, nada.
    pub fn acordar(&self) -> Box<dyn Fn() + Send> {
        let ouvintes = Arc::clone(&self.0);
        Box::new(move || drop(ouvintes.acordador.get().map(Waker::wake)))
    }
}
