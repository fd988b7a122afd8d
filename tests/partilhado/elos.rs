//! A rede em volta dos membros do etcd, para a poder cortar: à frente de cada porta, um proxy que sabe quem fala, porque os
//! membros dizem quem são em cada conexão (`X-Server-From`, do pacote rafthttp).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Um membro que a rede não alcança.
#[derive(Debug)]
struct Corte {
    membro: usize,
    /// Como ele se apresenta aos outros.
    id: String,
}

/// Todos os elos.
#[derive(Debug, Clone, Default)]
pub struct Elos(Arc<(Mutex<Option<Corte>>, Condvar)>);

impl Elos {
    /// Nada mais chega a este membro, nem sai dele, e nenhuma conexão o nota: os bytes ficam no caminho.
    pub fn cortar(&self, membro: usize, id: String) {
        *self.0.0.lock().unwrap() = Some(Corte { membro, id });
    }

    /// Tudo volta a passar, e o que ficou no caminho chega.
    pub fn emendar(&self) {
        *self.0.0.lock().unwrap() = None;
        self.0.1.notify_all();
    }

    /// Um proxy à frente de uma porta deste membro; diz a dele.
    pub fn diante_de(&self, membro: usize, porta: u16) -> u16 {
        let escuta = TcpListener::bind("127.0.0.1:0").unwrap();
        let minha = escuta.local_addr().unwrap().port();
        let elos = self.clone();
        thread::spawn(move || {
            for de_fora in escuta.incoming().map_while(Result::ok) {
                let elos = elos.clone();
                thread::spawn(move || elos.passar(de_fora, membro, porta));
            }
        });
        minha
    }

    fn passar(&self, mut de_fora: TcpStream, para: usize, porta: u16) -> Option<()> {
        let mut bytes = [0; 16 * 1024];
        // O cabeçalho de um membro cabe em uma leitura.
        let lidos = de_fora.read(&mut bytes).ok().filter(|lidos| *lidos > 0)?;
        let de = quem_fala(&bytes[..lidos]);
        self.esperar(de.as_deref(), para);
        let mut membro = TcpStream::connect(("127.0.0.1", porta)).ok()?;
        membro.write_all(&bytes[..lidos]).ok()?;
        let (ida, volta) = (de_fora.try_clone().ok()?, membro.try_clone().ok()?);
        let (elos, quem) = (self.clone(), de.clone());
        thread::spawn(move || elos.levar(volta, de_fora, quem.as_deref(), para));
        self.levar(ida, membro, de.as_deref(), para);
        Some(())
    }

    fn levar(&self, mut fonte: TcpStream, mut destino: TcpStream, de: Option<&str>, para: usize) {
        let mut bytes = [0; 64 * 1024];
        while let Ok(lidos @ 1..) = fonte.read(&mut bytes) {
            self.esperar(de, para);
            if destino.write_all(&bytes[..lidos]).is_err() {
                break;
            }
        }
        let _ = fonte.shutdown(Shutdown::Both);
        let _ = destino.shutdown(Shutdown::Both);
    }

    /// Espera que o elo esteja inteiro.
    fn esperar(&self, de: Option<&str>, para: usize) {
        let cortado = |corte: &mut Option<Corte>| {
            corte.as_ref().is_some_and(|corte| corte.membro == para || de == Some(&corte.id))
        };
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), cortado).unwrap());
    }
}

fn quem_fala(pedido: &[u8]) -> Option<String> {
    let texto = String::from_utf8_lossy(pedido);
    let mut linhas = texto.split("\r\n").take_while(|linha| !linha.is_empty());
    linhas.find_map(|linha| Some(linha.strip_prefix("X-Server-From: ")?.to_owned()))
}
