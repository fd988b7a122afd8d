//! Servidores de mentira que vendem um só estoque: cada um tem a sua porta e as suas conexões, e o estoque é de todos.
//! Os outros só sabem do esgotamento depois do que vendeu a última unidade; e qualquer um pode morrer no meio.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const AVISO: &str = "AVISO: O estoque acabou de esgotar!\n";

/// Servidores que vendem um só estoque.
#[derive(Debug)]
pub struct Gemeos(Arc<Vec<Gemeo>>);

#[derive(Debug)]
struct Gemeo {
    endereco: SocketAddr,
    estoque: Arc<Mutex<u64>>,
    /// As conexões abertas: ao AVISO, e à morte.
    conexoes: Mutex<Vec<TcpStream>>,
    comandos: AtomicU64,
    morto: AtomicBool,
    /// Vende sem tirar do estoque: o defeito.
    repete: bool,
    /// Diz, a estes comandos em cada cem, que o estoque está fora de alcance.
    fora_de_alcance: u64,
}

/// O que um gêmeo faz de diferente.
#[derive(Debug, Clone, Copy, Default)]
pub struct Jeito {
    /// Vende a unidade que há, e a deixa lá.
    pub repete: bool,
    /// A quantos comandos, em cada cem, responde que o estoque está fora de alcance.
    pub fora_de_alcance: u64,
}

impl Gemeos {
    /// Abre um por jeito, todos com este estoque. A notícia do esgotamento leva `atraso` até os outros.
    ///
    /// # Panics
    ///
    /// O sistema não deu uma porta.
    pub fn abrir(unidades: u64, atraso: Duration, jeitos: &[Jeito]) -> Self {
        let estoque = Arc::new(Mutex::new(unidades));
        let portas: Vec<TcpListener> =
            jeitos.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let gemeo = |(porta, jeito): (&TcpListener, &Jeito)| Gemeo {
            endereco: porta.local_addr().unwrap(),
            estoque: Arc::clone(&estoque),
            conexoes: Mutex::default(),
            comandos: AtomicU64::new(0),
            morto: AtomicBool::new(false),
            repete: jeito.repete,
            fora_de_alcance: jeito.fora_de_alcance,
        };
        let gemeos: Arc<Vec<Gemeo>> = Arc::new(portas.iter().zip(jeitos).map(gemeo).collect());
        for (qual, porta) in portas.into_iter().enumerate() {
            let gemeos = Arc::clone(&gemeos);
            // As threads morrem com o processo do teste.
            thread::spawn(move || aceitar(&porta, &gemeos, qual, atraso));
        }
        Gemeos(gemeos)
    }

    /// Os endereços, como `--servidor` os quer.
    pub fn enderecos(&self) -> String {
        let enderecos: Vec<String> = self.0.iter().map(|g| g.endereco.to_string()).collect();
        enderecos.join(",")
    }

    /// Quantos comandos este já ouviu.
    pub fn comandos(&self, qual: usize) -> u64 {
        self.0[qual].comandos.load(Ordering::SeqCst)
    }

    /// Este morre: as conexões se fecham, e a porta passa a recusar.
    ///
    /// # Panics
    ///
    /// Alguma thread deste teste já entrou em pânico.
    pub fn matar(&self, qual: usize) {
        let gemeo = &self.0[qual];
        gemeo.morto.store(true, Ordering::SeqCst);
        for conexao in gemeo.conexoes.lock().unwrap().drain(..) {
            let _ = conexao.shutdown(Shutdown::Both);
        }
        // Quem espera na porta só acorda com mais alguém.
        let _ = TcpStream::connect(gemeo.endereco);
    }
}

fn aceitar(porta: &TcpListener, gemeos: &Arc<Vec<Gemeo>>, qual: usize, atraso: Duration) {
    for conexao in porta.incoming().flatten() {
        let gemeo = &gemeos[qual];
        let mut conexoes = gemeo.conexoes.lock().unwrap();
        if gemeo.morto.load(Ordering::SeqCst) {
            return;
        }
        conexoes.push(conexao.try_clone().unwrap());
        drop(conexoes);
        let gemeos = Arc::clone(gemeos);
        thread::spawn(move || atender(&conexao, &gemeos, qual, atraso));
    }
}

fn atender(mut conexao: &TcpStream, gemeos: &Arc<Vec<Gemeo>>, qual: usize, atraso: Duration) {
    let gemeo = &gemeos[qual];
    for comando in BufReader::new(conexao).lines().map_while(Result::ok) {
        let (resposta, esgotou) = gemeo.decidir(&comando);
        let enviada = conexao.write_all(resposta.as_bytes());
        if esgotou {
            gemeo.avisar();
            let gemeos = Arc::clone(gemeos);
            thread::spawn(move || {
                thread::sleep(atraso);
                gemeos.iter().enumerate().filter(|(n, _)| *n != qual).for_each(|(_, g)| g.avisar());
            });
        }
        if enviada.is_err() {
            return;
        }
    }
}

impl Gemeo {
    /// A resposta, e se com ela o estoque acabou.
    fn decidir(&self, comando: &str) -> (String, bool) {
        let vez = self.comandos.fetch_add(1, Ordering::SeqCst);
        if vez % 100 < self.fora_de_alcance {
            let texto = "ERRO: Estoque fora de alcance. Nada foi vendido, tente de novo\n";
            return (texto.into(), false);
        }
        let mut estoque = self.estoque.lock().unwrap();
        match (comando, *estoque) {
            ("CONSULTAR", ha) => (format!("Estoque atual: {ha}\n"), false),
            (_, 0) => ("ERRO: Produto esgotado\n".into(), false),
            (_, ha) => {
                if !self.repete {
                    *estoque -= 1;
                }
                (format!("Compra realizada. Estoque restante: {}\n", ha - 1), *estoque == 0)
            }
        }
    }

    fn avisar(&self) {
        for mut conexao in self.conexoes.lock().unwrap().iter() {
            // Quem já se foi não ouve.
            let _ = conexao.write_all(AVISO.as_bytes());
        }
    }
}
