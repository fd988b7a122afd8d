//! O pedido de parada: Ctrl-C, ou SIGTERM, acorda todos, onde quer que estejam dormindo.
//!
//! Uma thread que ouve um socket só acorda se o socket mexer: por isso cada sessão deixa aqui uma
//! referência ao seu, e parar é fechá-los. Quem está sem socket dorme aqui mesmo.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use protocolo::terminal::ao_pedirem_parada;

/// Compartilhada por todas as sessões.
#[derive(Debug, Default)]
pub struct Parada {
    /// Só sobe com a trava na mão; lê-se sem ela.
    pedida: AtomicBool,
    sockets: Mutex<Vec<Weak<TcpStream>>>,
    pediu: Condvar,
}

impl Parada {
    /// Liga a parada aos sinais do sistema, e faz `mais` no primeiro. O segundo encerra o programa na
    /// hora, com 130.
    ///
    /// # Errors
    ///
    /// O sistema não deixou capturar os sinais.
    pub fn ao_sinal(mais: impl FnOnce() + Send + 'static) -> io::Result<Arc<Self>> {
        let parada = Arc::new(Parada::default());
        let avisada = Arc::clone(&parada);
        let parar = move || {
            avisada.pedir();
            mais();
        };
        ao_pedirem_parada("cliente", parar)?;
        Ok(parada)
    }

    /// Pede a parada.
    pub fn pedir(&self) {
        let mut sockets = self.trancar();
        self.pedida.store(true, Ordering::Release);
        for socket in sockets.drain(..).filter_map(|fraco| fraco.upgrade()) {
            // Se já estava fechado, tanto melhor.
            let _ = socket.shutdown(Shutdown::Both);
        }
        self.pediu.notify_all();
    }

    /// A parada foi pedida?
    pub fn pedida(&self) -> bool {
        self.pedida.load(Ordering::Acquire)
    }

    /// Guarda um socket para fechá-lo na parada; se ela já veio, fecha-o agora.
    pub fn guardar(&self, socket: &Arc<TcpStream>) {
        let mut sockets = self.trancar();
        if self.pedida() {
            let _ = socket.shutdown(Shutdown::Both);
            return;
        }
        // Os que já se foram saem quando a lista ia crescer: ela não cresce com as reconexões, e a
        // limpeza só se repete depois de tantas entradas quantos são os vivos.
        if sockets.len() == sockets.capacity() {
            sockets.retain(|fraco| fraco.strong_count() > 0);
            let vivos = sockets.len();
            sockets.reserve(vivos + 1);
        }
        sockets.push(Arc::downgrade(socket));
    }

    /// Dorme por `tempo`, ou até a parada.
    pub fn dormir(&self, tempo: Duration) {
        let sockets = self.trancar();
        // Acordar antes do tempo não faz mal: quem chama volta a perguntar o que fazer.
        drop(self.pediu.wait_timeout_while(sockets, tempo, |_| !self.pedida()));
    }

    fn trancar(&self) -> MutexGuard<'_, Vec<Weak<TcpStream>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod testes {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    #[test]
    fn a_parada_acorda_quem_dorme_e_quem_ouve() {
        let porta = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Arc::new(TcpStream::connect(porta.local_addr().unwrap()).unwrap());
        let parada = Parada::default();
        parada.guardar(&socket);
        std::thread::scope(|escopo| {
            escopo.spawn(|| parada.dormir(Duration::from_secs(3600)));
            escopo.spawn(|| assert_eq!((&*socket).read(&mut [0; 8]).unwrap(), 0));
            parada.pedir();
        });
        assert!(parada.pedida());
    }

    #[test]
    fn quem_chega_depois_da_parada_ja_encontra_fechado() {
        let porta = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Arc::new(TcpStream::connect(porta.local_addr().unwrap()).unwrap());
        let parada = Parada::default();
        parada.pedir();
        parada.guardar(&socket);
        assert_eq!((&*socket).read(&mut [0; 8]).unwrap(), 0);
        parada.dormir(Duration::from_secs(3600));
    }
}
