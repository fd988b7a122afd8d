//! A rede entre os membros do etcd, para a poder cortar: à frente da porta de cada um, um proxy que sabe quem fala, porque
//! os membros dizem quem são em cada conexão (`X-Server-From`, do pacote rafthttp).

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// O corte, e as conexões que há.
#[derive(Debug, Default)]
struct Rede {
    /// O membro que ninguém ouve: o lugar dele, e o nome que ele se dá.
    cortado: Option<(usize, String)>,
    vivas: Vec<Elo>,
}

#[derive(Debug)]
struct Elo {
    de: String,
    para: usize,
    pontas: [TcpStream; 2],
}

/// Todos os elos.
#[derive(Debug, Clone, Default)]
pub struct Elos(Arc<Mutex<Rede>>);

impl Elos {
    /// Um proxy à frente da porta por onde este membro ouve os outros; diz a dele.
    pub fn diante_de(&self, membro: usize, porta: u16) -> u16 {
        let escuta = TcpListener::bind("127.0.0.1:0").unwrap();
        let minha = escuta.local_addr().unwrap().port();
        let elos = self.clone();
        thread::spawn(move || {
            for fluxo in escuta.incoming().map_while(Result::ok) {
                let elos = elos.clone();
                thread::spawn(move || elos.passar(fluxo, membro, porta));
            }
        });
        minha
    }

    fn passar(&self, mut de_fora: TcpStream, para: usize, porta: u16) -> Option<()> {
        let comeco = ler_cabecalho(&mut de_fora)?;
        let de = quem_fala(&comeco);
        let mut membro = TcpStream::connect(("127.0.0.1", porta)).ok()?;
        membro.write_all(&comeco).ok()?;
        {
            let mut rede = self.0.lock().unwrap();
            if rede.separa(&de, para) {
                return None;
            }
            let pontas = [de_fora.try_clone().ok()?, membro.try_clone().ok()?];
            rede.vivas.push(Elo { de, para, pontas });
        }
        let (ida, volta) = (de_fora.try_clone().ok()?, membro.try_clone().ok()?);
        thread::spawn(move || copiar(volta, de_fora));
        copiar(ida, membro);
        Some(())
    }

    /// Daqui em diante este membro, que se chama assim, não ouve os outros, nem eles a ele.
    pub fn cortar(&self, membro: usize, nome: &str) {
        let mut rede = self.0.lock().unwrap();
        rede.cortado = Some((membro, nome.to_owned()));
        for Elo { de, para, pontas } in std::mem::take(&mut rede.vivas) {
            if rede.separa(&de, para) {
                pontas.iter().for_each(|ponta| drop(ponta.shutdown(Shutdown::Both)));
            } else {
                rede.vivas.push(Elo { de, para, pontas });
            }
        }
    }

    /// A rede volta.
    pub fn emendar(&self) {
        self.0.lock().unwrap().cortado = None;
    }
}

impl Rede {
    fn separa(&self, de: &str, para: usize) -> bool {
        self.cortado.as_ref().is_some_and(|(membro, nome)| para == *membro || de == nome)
    }
}

fn ler_cabecalho(fluxo: &mut TcpStream) -> Option<Vec<u8>> {
    fluxo.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut lido = Vec::new();
    let mut bytes = [0; 4096];
    while !lido.windows(4).any(|fim| fim == b"\r\n\r\n") {
        match fluxo.read(&mut bytes) {
            Ok(quantos @ 1..) => lido.extend_from_slice(&bytes[..quantos]),
            _ => return None,
        }
    }
    fluxo.set_read_timeout(None).ok()?;
    Some(lido)
}

fn quem_fala(cabecalho: &[u8]) -> String {
    let texto = String::from_utf8_lossy(cabecalho).to_ascii_lowercase();
    let linha = texto.lines().find_map(|linha| linha.strip_prefix("x-server-from:"));
    linha.unwrap_or_default().trim().to_owned()
}

fn copiar(mut de: TcpStream, mut para: TcpStream) {
    let _ = std::io::copy(&mut de, &mut para);
    let _ = de.shutdown(Shutdown::Both);
    let _ = para.shutdown(Shutdown::Both);
}
