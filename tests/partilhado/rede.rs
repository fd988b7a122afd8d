//! O que há entre os programas e o etcd, para o teste o estragar: um proxy que perde ou atrasa respostas, e uma rede
//! que se corta em volta de um membro, de cujos elos cada um se corta sozinho.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Leva cada conexão a esta porta, por quem `atender` disser, e diz em que porta se liga.
fn proxy(porta: u16, atender: impl Fn(TcpStream, TcpStream) + Clone + Send + 'static) -> u16 {
    let escuta = TcpListener::bind("127.0.0.1:0").unwrap();
    let onde = escuta.local_addr().unwrap().port();
    thread::spawn(move || {
        for cliente in escuta.incoming().map_while(Result::ok) {
            let Ok(etcd) = TcpStream::connect(("127.0.0.1", porta)) else { continue };
            let atender = atender.clone();
            thread::spawn(move || atender(cliente, etcd));
        }
    });
    onde
}

/// Leva os bytes das duas pontas, se `ida` e `volta` os deixam passar; a primeira recusa fecha a conexão.
fn ligar(
    cliente: TcpStream,
    etcd: TcpStream,
    ida: impl FnMut(&[u8]) -> bool + Send + 'static,
    volta: impl FnMut(&[u8]) -> bool,
) {
    let (de, para) = (cliente.try_clone().unwrap(), etcd.try_clone().unwrap());
    thread::spawn(move || levar(de, para, ida));
    levar(etcd, cliente, volta);
}

fn levar(mut de: TcpStream, mut para: TcpStream, mut passa: impl FnMut(&[u8]) -> bool) {
    let mut bytes = [0; 64 * 1024];
    while let Ok(lidos @ 1..) = de.read(&mut bytes) {
        if !passa(&bytes[..lidos]) || para.write_all(&bytes[..lidos]).is_err() {
            break;
        }
    }
    let _ = de.shutdown(Shutdown::Both);
    let _ = para.shutdown(Shutdown::Both);
}

/// Um proxy que, em tantas respostas por mil, fecha a conexão em vez de a entregar, e em outras tantas a entrega
/// depois de quem perguntou já ter desistido. Conta umas e outras.
pub fn que_perde(perde: u64, atrasa: u64, porta: u16) -> (String, Arc<AtomicU64>) {
    let estragadas = Arc::new(AtomicU64::new(0));
    let sorte = Arc::new(Mutex::new(fastrand::Rng::with_seed(7)));
    let conta = Arc::clone(&estragadas);
    let porta = proxy(porta, move |cliente, etcd| {
        let volta = |_: &[u8]| {
            let sorteado = sorte.lock().unwrap().u64(0..1000);
            conta.fetch_add(u64::from(sorteado < perde + atrasa), Ordering::Relaxed);
            if (perde..perde + atrasa).contains(&sorteado) {
                thread::sleep(Duration::from_millis(1200));
            }
            sorteado >= perde
        };
        ligar(cliente, etcd, |_| true, volta);
    });
    (format!("http://127.0.0.1:{porta}"), estragadas)
}

/// Um membro que a rede não alcança.
#[derive(Debug)]
struct Corte {
    membro: usize,
    /// Como ele se apresenta aos outros.
    id: String,
}

/// Uma rede que se corta.
#[derive(Debug, Clone, Default)]
pub struct Rede(Arc<(Mutex<Option<Corte>>, Condvar)>);

impl Rede {
    /// Nada mais chega a este membro, nem sai dele, e nenhuma conexão o nota: os bytes ficam no caminho.
    pub fn cortar(&self, membro: usize, id: String) {
        *self.0.0.lock().unwrap() = Some(Corte { membro, id });
    }

    /// Tudo volta a passar, e o que ficou no caminho chega.
    pub fn emendar(&self) {
        *self.0.0.lock().unwrap() = None;
        self.0.1.notify_all();
    }

    /// O elo até uma porta de um membro. Quem liga só se conhece se é outro membro, que o diz no primeiro pedido.
    pub fn elo(&self, membro: usize, porta: u16) -> u16 {
        let rede = self.clone();
        proxy(porta, move |mut cliente, mut etcd| {
            let mut pedido = [0; 16 * 1024];
            let Ok(lidos @ 1..) = cliente.read(&mut pedido) else { return };
            let de = quem_liga(&pedido[..lidos]);
            rede.esperar(de.as_deref(), membro);
            if etcd.write_all(&pedido[..lidos]).is_err() {
                return;
            }
            let (ida, volta) = (rede.clone(), rede.clone());
            let quem = de.clone();
            ligar(
                cliente,
                etcd,
                move |_| ida.esperar(quem.as_deref(), membro),
                move |_| volta.esperar(de.as_deref(), membro),
            );
        })
    }

    /// Espera que o elo esteja inteiro.
    fn esperar(&self, de: Option<&str>, para: usize) -> bool {
        let cortado = |corte: &mut Option<Corte>| {
            corte.as_ref().is_some_and(|corte| corte.membro == para || de == Some(&corte.id))
        };
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), cortado).unwrap());
        true
    }
}

fn quem_liga(pedido: &[u8]) -> Option<String> {
    let texto = String::from_utf8_lossy(pedido);
    let mut linhas = texto.split("\r\n").take_while(|linha| !linha.is_empty());
    linhas.find_map(|linha| Some(linha.strip_prefix("X-Server-From: ")?.to_owned()))
}
