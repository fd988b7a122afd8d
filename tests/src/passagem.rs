//! Quem fica entre a multidão e um servidor que morre e reabre noutra porta: o endereço não muda, e uma parte das respostas
//! às compras perde-se no caminho.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// De quantas em quantas respostas a compras se perde uma, e com ela a conexão: 3%.
pub const UMA_SE_PERDE_EM: u64 = 33;

/// A passagem. As threads dela morrem com o processo do teste.
#[derive(Debug)]
pub struct Passagem {
    endereco: SocketAddr,
    servidor: Mutex<Option<SocketAddr>>,
    respostas: AtomicU64,
    perguntados: Mutex<BTreeSet<String>>,
}

impl Passagem {
    /// Abre uma passagem para este servidor.
    ///
    /// # Panics
    ///
    /// O sistema não deu uma porta.
    pub fn abrir(servidor: SocketAddr) -> Arc<Self> {
        let porta = TcpListener::bind("127.0.0.1:0").unwrap();
        let passagem = Arc::new(Passagem {
            endereco: porta.local_addr().unwrap(),
            servidor: Mutex::new(Some(servidor)),
            respostas: AtomicU64::new(0),
            perguntados: Mutex::default(),
        });
        let desta = Arc::clone(&passagem);
        thread::spawn(move || {
            for cliente in porta.incoming().flatten() {
                let servidor = *desta.servidor.lock().unwrap();
                // Sem servidor, a conexão se fecha.
                let Some(Ok(servidor)) = servidor.map(TcpStream::connect) else { continue };
                let (ida, volta) = (cliente.try_clone().unwrap(), servidor.try_clone().unwrap());
                let passagem = Arc::clone(&desta);
                thread::spawn(move || {
                    passagem.levar(&ida, &volta);
                    let _ = volta.shutdown(Shutdown::Both);
                });
                let passagem = Arc::clone(&desta);
                thread::spawn(move || {
                    passagem.devolver(&servidor, &cliente);
                    let _ = cliente.shutdown(Shutdown::Both);
                    let _ = servidor.shutdown(Shutdown::Both);
                });
            }
        });
        passagem
    }

    /// Onde a multidão a acha.
    pub fn endereco(&self) -> SocketAddr {
        self.endereco
    }

    /// Daqui em diante leva a este servidor; sem um, fecha quem chega.
    ///
    /// # Panics
    ///
    /// Uma thread dela entrou em pânico.
    pub fn levar_a(&self, servidor: Option<SocketAddr>) {
        *self.servidor.lock().unwrap() = servidor;
    }

    /// Quantas respostas a compras já vieram do servidor.
    pub fn respostas(&self) -> u64 {
        self.respostas.load(Ordering::SeqCst)
    }

    /// Os ids que se perguntaram por aqui.
    ///
    /// # Panics
    ///
    /// Uma thread dela entrou em pânico.
    pub fn perguntados(&self) -> BTreeSet<String> {
        self.perguntados.lock().unwrap().clone()
    }

    fn levar(&self, cliente: &TcpStream, mut servidor: &TcpStream) {
        for linha in BufReader::new(cliente).lines().map_while(Result::ok) {
            if let Some(id) = linha.strip_prefix("PEDIDO ") {
                self.perguntados.lock().unwrap().insert(id.trim_end().to_owned());
            }
            if servidor.write_all(format!("{linha}\n").as_bytes()).is_err() {
                return;
            }
        }
    }

    fn devolver(&self, servidor: &TcpStream, mut cliente: &TcpStream) {
        for linha in BufReader::new(servidor).lines().map_while(Result::ok) {
            let de_compra = linha.starts_with("Compra") || linha.contains("esgotado");
            let vez = if de_compra { self.respostas.fetch_add(1, Ordering::SeqCst) + 1 } else { 1 };
            if vez.is_multiple_of(UMA_SE_PERDE_EM)
                || cliente.write_all(format!("{linha}\n").as_bytes()).is_err()
            {
                return;
            }
        }
    }
}
