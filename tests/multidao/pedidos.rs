//! As compras numeradas, de ponta a ponta: servidores que respondem certo e errado ao mesmo id, com uma parte das
//! respostas perdida; e o nosso, com livro, atrás de quem corta as respostas, morto e reaberto várias vezes.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use testes::{
    Processo, Servidor, Signal, argumentos, ate, comando, conta, executar, multidao, servidor_que,
    veredito,
};

/// Uma resposta a cada tantas se perde: 3%.
const UMA_SE_PERDE_EM: u64 = 33;

/// O que o balcão faz de um id que já atendeu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Jeito {
    /// Responde o mesmo.
    Certo,
    /// Vende outra vez.
    VendeDeNovo,
    /// Se vendeu, passa a dizer que esgotou.
    RespondeOutraCoisa,
}

/// Um servidor de mentira que conhece PEDIDO.
struct Balcao {
    jeito: Jeito,
    unidades: u64,
    respostas: HashMap<String, String>,
    compras: u64,
}

impl Balcao {
    /// A resposta, e se ela se perde no caminho.
    fn decidir(&mut self, linha: &str) -> (String, bool) {
        let Some(id) = linha.strip_prefix("PEDIDO ") else {
            return (format!("Estoque atual: {}\n", self.unidades), false);
        };
        self.compras += 1;
        let perde = self.compras.is_multiple_of(UMA_SE_PERDE_EM);
        let resposta = match (self.respostas.get(id), self.jeito) {
            (Some(dada), Jeito::Certo) => dada.clone(),
            (Some(_), Jeito::RespondeOutraCoisa) => "ERRO: Produto esgotado\n".into(),
            (Some(_), Jeito::VendeDeNovo) | (None, _) => self.vender(),
        };
        self.respostas.insert(id.to_owned(), resposta.clone());
        (resposta, perde)
    }

    fn vender(&mut self) -> String {
        match self.unidades.checked_sub(1) {
            None => "ERRO: Produto esgotado\n".into(),
            Some(restam) => {
                self.unidades = restam;
                format!("Compra realizada. Estoque restante: {restam}\n")
            }
        }
    }
}

fn abrir(jeito: Jeito, unidades: u64) -> (SocketAddr, Arc<Mutex<Balcao>>) {
    let porta = TcpListener::bind("127.0.0.1:0").unwrap();
    let endereco = porta.local_addr().unwrap();
    let balcao = Balcao { jeito, unidades, respostas: HashMap::new(), compras: 0 };
    let balcao = Arc::new(Mutex::new(balcao));
    let atende = Arc::clone(&balcao);
    // As threads morrem com o processo do teste.
    thread::spawn(move || {
        for conexao in porta.incoming().flatten() {
            let balcao = Arc::clone(&atende);
            thread::spawn(move || {
                for linha in BufReader::new(&conexao).lines().map_while(Result::ok) {
                    let (resposta, perde) = balcao.lock().unwrap().decidir(&linha);
                    if perde || (&conexao).write_all(resposta.as_bytes()).is_err() {
                        let _ = conexao.shutdown(Shutdown::Both);
                        return;
                    }
                }
            });
        }
    });
    (endereco, balcao)
}

const OPCOES: &str = "--pedidos --usuarios 20 --ciclos 15 --escuta 1s --decisao 1s";

#[test]
fn com_respostas_perdidas_um_servidor_certo_passa_e_de_nenhuma_compra_se_duvida() {
    let (endereco, balcao) = abrir(Jeito::Certo, 1_000);
    let pasta = tempfile::tempdir().unwrap();
    let [json, pagina] = ["j.json", "p.html"].map(|nome| pasta.path().join(nome));
    let (onde, tambem) = (json.display(), pagina.display());
    let resto =
        format!("--estoque 1000 --exigir desconhecidas=0 --json {onde} --relatorio {tambem}");
    let fim = multidao(endereco, &format!("{OPCOES} {resto}"));
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!((conta(&fim, "pedidos"), conta(&fim, "desconhecidas")), (300, 0), "{fim:?}");
    assert_eq!(conta(&fim, "vendas"), 300, "as quedas não custam ciclos");
    assert!(conta(&fim, "falhas") >= 9, "perderam-se 3%: {fim:?}");
    let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
    let pedidos = &json["resumo"]["pedidos"];
    assert_eq!((&json["parametros"]["pedidos"], &pedidos["ids"]), (&true.into(), &300.into()));
    assert!(pedidos["insistidos"].as_u64() >= Some(1), "{pedidos}");
    assert!(pedidos["repetidos"].as_u64() >= Some(1), "{pedidos}");
    assert!(fs::read_to_string(pagina).unwrap().contains("<dt>compras desconhecidas</dt><dd>0"));
    let balcao = balcao.lock().unwrap();
    assert_eq!((balcao.unidades, balcao.respostas.len()), (700, 300));
}

#[test]
fn quem_vende_duas_vezes_ao_mesmo_id_ou_lhe_da_outra_resposta_e_acusado() {
    for jeito in [Jeito::VendeDeNovo, Jeito::RespondeOutraCoisa] {
        let (endereco, _) = abrir(jeito, 1_000);
        let fim = multidao(endereco, OPCOES);
        assert_eq!(fim.codigo, Some(3), "{jeito:?}: {fim:?}");
        let acusou = fim.saida.contains("o mesmo pedido teve duas respostas");
        assert!(acusou, "{jeito:?}: {fim:?}");
    }
}

#[test]
fn de_um_servidor_que_nao_conhece_pedido_se_diz_logo_e_nada_se_julga() {
    let endereco = servidor_que(|linha| match linha {
        "CONSULTAR" => "Estoque atual: 10\n".into(),
        "COMPRAR" => "Compra realizada. Estoque restante: 9\n".into(),
        _ => "ERRO: Comando desconhecido\n".into(),
    });
    let fim = multidao(endereco, "--pedidos --usuarios 5");
    assert_eq!(fim.codigo, Some(1), "{fim:?}");
    let esperado = "o servidor não aceita --pedidos: ao primeiro PEDIDO respondeu 'ERRO: Comando desconhecido'";
    assert!(fim.erro.contains(esperado), "{fim:?}");
}

/// Fica entre a multidão e o servidor que houver, e perde uma parte das respostas às compras.
struct Passagem {
    endereco: SocketAddr,
    servidor: Mutex<Option<SocketAddr>>,
    respostas: AtomicU64,
}

impl Passagem {
    fn abrir(servidor: SocketAddr) -> Arc<Self> {
        let porta = TcpListener::bind("127.0.0.1:0").unwrap();
        let endereco = porta.local_addr().unwrap();
        let servidor = Mutex::new(Some(servidor));
        let passagem = Arc::new(Passagem { endereco, servidor, respostas: AtomicU64::new(0) });
        let desta = Arc::clone(&passagem);
        thread::spawn(move || {
            for cliente in porta.incoming().flatten() {
                let servidor = *desta.servidor.lock().unwrap();
                // Sem servidor, a conexão se fecha.
                let Some(Ok(servidor)) = servidor.map(TcpStream::connect) else { continue };
                let (ida, volta) = (cliente.try_clone().unwrap(), servidor.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut &ida, &mut &volta);
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

#[test]
fn com_o_servidor_morto_e_reaberto_e_respostas_perdidas_de_toda_compra_se_sabe() {
    let pasta = tempfile::tempdir().unwrap();
    let caminho = |nome: &str| pasta.path().join(nome).to_str().unwrap().to_owned();
    let (livro, csv) = (caminho("vendas.db"), caminho("historia.csv"));
    let abrir =
        |mais: &[&str]| Servidor::abrir(&[&["--livro", &livro, "--silencioso"], mais].concat());
    let mut servidor = abrir(&["--estoque", "100000"]);
    let passagem = Passagem::abrir(servidor.endereco());
    let resto = format!(
        "--pedidos --usuarios 20 --ciclos 40 --escuta 5s --decisao 1s --estoque 100000 --csv {csv}"
    );
    let mut cliente = Processo::iniciar(comando("cliente", argumentos(passagem.endereco, &resto)));
    for vida in 1..=4 {
        let vendidas = vida * 100;
        ate("venderem-se mais cem", || {
            (passagem.respostas.load(Ordering::SeqCst) > vendidas).then_some(())
        });
        servidor.sinal(Signal::KILL);
        servidor.termino();
        *passagem.servidor.lock().unwrap() = None;
        servidor = abrir(&[]);
        *passagem.servidor.lock().unwrap() = Some(servidor.endereco());
    }
    let fim = cliente.termino();
    assert_eq!((fim.codigo, veredito(&fim)), (Some(0), "Veredito: CONSISTENTE"), "{fim:?}");
    assert_eq!(conta(&fim, "desconhecidas"), 0, "{fim:?}");
    servidor.encerrar();

    // O livro tem as vendas que a multidão ouviu, nem uma a mais, e cada id uma vez.
    let extrato = executar("servidor", ["extrato", &livro, "--json"]);
    assert_eq!(extrato.codigo, Some(0), "{extrato:?}");
    let extrato: serde_json::Value = serde_json::from_str(&extrato.saida).unwrap();
    let vendas = extrato["vendas"].as_array().unwrap();
    let historia = fs::read_to_string(&csv).unwrap();
    let mut leitor = csv::Reader::from_reader(historia.as_bytes());
    let linhas: Vec<csv::StringRecord> = leitor.records().map(Result::unwrap).collect();
    let coluna = leitor.headers().unwrap().iter().position(|nome| nome == "id").unwrap();
    let vendidos: BTreeSet<&str> =
        linhas.iter().filter(|linha| &linha[5] == "comprou").map(|linha| &linha[coluna]).collect();
    let do_livro: BTreeSet<&str> = vendas.iter().filter_map(|v| v["pedido"].as_str()).collect();
    assert_eq!(do_livro, vendidos);
    assert_eq!((vendas.len(), vendas.len() as u64), (vendidos.len(), conta(&fim, "vendas")));
}
