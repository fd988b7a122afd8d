//! Dois ou três balcões de produção sobre um estoque só, que responde quando quer, perde o que quer, e deixa outros
//! comprarem: o turno com lotes em voo, sorteado de uma semente.
//!
//! Aqui os sockets são canos que nunca entopem nem quebram (isso é com `tests/simulacao`): o que se sorteia é o estoque,
//! o tempo, e quem pede o quê. O que o estoque promete ao balcão, e por isso não se sorteia: com um lote em voo, não
//! se ouve de um esgotamento dos outros.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use protocolo::{Id, Resposta};
use servidor::balcao::{Balcao, Limites};
use servidor::conexao::Prontidao;
use servidor::estoque::{Estoque, Firme, Noticia, Proposta, Situacao};
use servidor::loja::Loja;
use servidor::registro::Registro;

use crate::oraculo::{Veredito, exigir};

const FORA: &str = "ERRO: Estoque fora de alcance. Nada foi vendido, tente de novo";
/// Poucos, para que o limite se sinta.
const PEDIDOS_POR_LOTE: usize = 2;

const AVISO: &str = "AVISO: O estoque acabou de esgotar!";

/// Uma conexão: o que o cliente mandou e ainda não se leu, e o que ouviu.
#[derive(Debug, Default)]
struct Cano {
    ida: VecDeque<u8>,
    ouviu: String,
    acabou: bool,
}

#[derive(Debug, Clone)]
struct Fluxo(Rc<RefCell<Cano>>);

impl Read for Fluxo {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut cano = self.0.borrow_mut();
        if cano.ida.is_empty() {
            return if cano.acabou { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        let lidos = cano.ida.len().min(bytes.len());
        bytes[..lidos].iter_mut().for_each(|byte| *byte = cano.ida.pop_front().unwrap());
        Ok(lidos)
    }
}

impl Write for Fluxo {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().ouviu.push_str(std::str::from_utf8(bytes).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// O que o estoque tem de um servidor.
#[derive(Debug, Default)]
struct Lado {
    /// O lote em voo: quantas compras, e quais têm id.
    em_voo: Option<(u64, Vec<(usize, Id)>)>,
    noticias: VecDeque<Noticia>,
    /// Um esgotamento dos outros, que ainda não se disse.
    esgotou: bool,
}

/// O estoque que todos vendem.
#[derive(Debug)]
struct Comum {
    unidades: u64,
    lados: Vec<Lado>,
    /// O que coube a cada pedido com id: quanto sobrou, ou que já não havia.
    pedidos: BTreeMap<String, Option<u64>>,
    /// Unidades que saíram daqui, saiba-se ou não quem as levou.
    vendidas: u64,
    /// Pode haver quem fique sem resposta: um lote sem desfecho, ou que demorou demais.
    duvida: bool,
    agora: Instant,
}

impl Comum {
    /// O lote deste servidor vale: diz quantas unidades havia.
    fn valer(&mut self, qual: usize, compras: u64, ids: &[(usize, Id)]) -> u64 {
        let antes = self.unidades;
        for (lugar, id) in ids {
            let coube = antes.checked_sub(*lugar as u64 + 1);
            let novo = self.pedidos.insert(id.texto().to_owned(), coube).is_none();
            assert!(novo, "o id {id:?} foi em dois lotes");
        }
        let levam = antes.min(compras);
        self.unidades -= levam;
        self.vendidas += levam;
        if antes > 0 && self.unidades == 0 {
            let outros = self.lados.iter_mut().enumerate().filter(|(outro, _)| *outro != qual);
            outros.for_each(|(_, lado)| lado.esgotou = true);
        }
        antes
    }

    fn ja_atendidos(&self, ids: &[(usize, Id)]) -> Vec<(Id, Resposta)> {
        let atendido = |(_, id): &(usize, Id)| {
            let resposta = match self.pedidos.get(id.texto())? {
                Some(restante) => Resposta::Compra { restante: *restante },
                None => Resposta::Esgotado,
            };
            Some((id.clone(), resposta))
        };
        ids.iter().filter_map(atendido).collect()
    }

    /// Como acaba o lote em voo deste servidor.
    fn acabar(&mut self, qual: usize, sorte: &mut Rng) {
        let Some((compras, ids)) = self.lados[qual].em_voo.take() else { return };
        let repetidos = self.ja_atendidos(&ids);
        let noticia = match sorte.u8(0..10) {
            0 => Noticia::NaoValeu,
            _ if !repetidos.is_empty() => Noticia::Repetidos(repetidos),
            1 => {
                self.duvida = true;
                // Pode ter valido. Se levou a última, o próprio servidor não o sabe: sabe-o pela observação.
                let antes = if sorte.bool() { self.valer(qual, compras, &ids) } else { 0 };
                self.lados[qual].esgotou |= antes > 0 && self.unidades == 0;
                Noticia::SemDesfecho
            }
            _ => {
                let antes = self.valer(qual, compras, &ids);
                Noticia::Firme(Firme { antes, quando: self.agora })
            }
        };
        self.lados[qual].noticias.push_back(noticia);
    }
}

struct NoTurno<'a> {
    comum: &'a RefCell<Comum>,
    qual: usize,
}

impl Estoque for NoTurno<'_> {
    type Pane = Infallible;

    fn colher(&mut self) -> Result<Option<Noticia>, Infallible> {
        let lado = &mut self.comum.borrow_mut().lados[self.qual];
        if let Some(noticia) = lado.noticias.pop_front() {
            return Ok(Some(noticia));
        }
        let conta = lado.esgotou && lado.em_voo.is_none();
        lado.esgotou &= !conta;
        Ok(conta.then_some(Noticia::Esgotou))
    }

    fn propor(&mut self, proposta: Proposta<'_>) -> Result<Situacao, Infallible> {
        let lado = &mut self.comum.borrow_mut().lados[self.qual];
        assert!(lado.em_voo.is_none() && lado.noticias.is_empty(), "dois lotes em voo");
        assert!(proposta.compradores.len() <= 8 * 1024 + 64, "um lote grande demais");
        // Passando do limite não se lê mais ninguém: só os da última conexão podem vir a mais.
        let de = |(lugar, _): &(usize, Id)| proposta.compradores[*lugar];
        let ultima = proposta.numerados.last().map(de);
        let das_outras = proposta.numerados.iter().filter(|um| Some(de(um)) != ultima);
        assert!(das_outras.count() < PEDIDOS_POR_LOTE, "pedidos demais em um lote");
        lado.em_voo = Some((proposta.compradores.len() as u64, proposta.numerados.to_vec()));
        Ok(Situacao::EmVoo)
    }

    fn pedidos_por_lote(&self) -> usize {
        PEDIDOS_POR_LOTE
    }
}

const PEDIDOS: [&str; 14] = [
    "COMPRAR",
    "COMPRAR",
    "COMPRAR",
    "CONSULTAR",
    "CONSULTAR",
    "AJUDA",
    "SAIR",
    "PEDIDO a",
    "PEDIDO b",
    "PEDIDO c",
    "PEDIDO d",
    "PEDIDO e",
    "PEDIDO f",
    "PEDIDO g",
];

struct Cliente {
    servidor: usize,
    chave: usize,
    cano: Rc<RefCell<Cano>>,
    pedidos: Vec<&'static str>,
}

pub struct Casa {
    sorte: Rng,
    comum: Rc<RefCell<Comum>>,
    balcoes: Vec<Balcao<Fluxo>>,
    registro: Registro,
    clientes: Vec<Cliente>,
    agora: Instant,
    unidades: u64,
    /// O que levou quem comprou em outro servidor.
    de_fora: u64,
}

impl Casa {
    pub fn nova(semente: u64) -> Self {
        let mut sorte = Rng::with_seed(semente);
        let agora = Instant::now();
        let (unidades, quantos) = (sorte.u64(0..15), sorte.usize(2..=3));
        let limites =
            Limites { conexoes: 100, por_endereco: None, ocioso: None, memoria: usize::MAX };
        let lados = (0..quantos).map(|_| Lado::default()).collect();
        let comum =
            Comum { unidades, lados, pedidos: BTreeMap::new(), vendidas: 0, duvida: false, agora };
        let balcao = |_| Balcao::novo(Loja::nova(unidades), limites, agora, |_: &Fluxo| ());
        let mut casa = Casa {
            comum: Rc::new(RefCell::new(comum)),
            balcoes: (0..quantos).map(balcao).collect(),
            registro: Registro::mudo(),
            clientes: Vec::new(),
            agora,
            unidades,
            de_fora: 0,
            sorte,
        };
        (0..casa.sorte.usize(2..8)).for_each(|_| casa.entrar());
        casa
    }

    fn entrar(&mut self) {
        let servidor = self.sorte.usize(0..self.balcoes.len());
        let cano: Rc<RefCell<Cano>> = Rc::default();
        let chave = self.balcoes[servidor].proxima_chave();
        let endereco = SocketAddr::from(([127, 0, 0, 1], 1000 + self.clientes.len() as u16));
        let fluxo = Fluxo(Rc::clone(&cano));
        self.balcoes[servidor].admitir(fluxo, endereco, self.agora, &mut self.registro);
        self.clientes.push(Cliente { servidor, chave, cano, pedidos: Vec::new() });
    }

    pub fn viver(mut self) -> Veredito {
        for _ in 0..self.sorte.usize(10..80) {
            match self.sorte.u8(0..20) {
                0..8 => self.pedir(),
                8..14 => self.turno()?,
                14..17 => self.acabar(),
                17 => {
                    let ms = self.sorte.u64(1..40_000);
                    self.passar(ms);
                }
                18 => {
                    // De outro servidor, que não está aqui.
                    let compras = self.sorte.u64(1..3);
                    let antes = self.comum.borrow_mut().valer(usize::MAX, compras, &[]);
                    self.de_fora += antes.min(compras);
                }
                _ => self.entrar(),
            }
        }
        // Um deles pode fechar com um lote em voo: quem pediu ainda ouve a resposta, e só depois que ele fecha.
        if self.sorte.bool() {
            let qual = self.sorte.usize(0..self.balcoes.len());
            self.balcoes[qual].encerrar();
        }
        self.sossegar()?;
        self.conferir()
    }

    fn pedir(&mut self) {
        let qual = self.sorte.usize(0..self.clientes.len());
        let cliente = &mut self.clientes[qual];
        if cliente.cano.borrow().acabou {
            return;
        }
        for _ in 0..self.sorte.usize(1..4) {
            let pedido = *self.sorte.choice(&PEDIDOS).unwrap();
            let mut cano = cliente.cano.borrow_mut();
            cano.ida.extend(pedido.bytes().chain([b'\n']));
            cliente.pedidos.push(pedido);
            cano.acabou |= pedido == "SAIR" || self.sorte.u8(0..20) == 0;
            if cano.acabou {
                break;
            }
        }
        let novidade = Prontidao { legivel: true, gravavel: true, ler_ate_secar: true };
        self.balcoes[cliente.servidor].marcar(cliente.chave, novidade);
    }

    fn acabar(&mut self) {
        let qual = self.sorte.usize(0..self.balcoes.len());
        self.comum.borrow_mut().acabar(qual, &mut self.sorte);
    }

    fn passar(&mut self, ms: u64) {
        self.agora += Duration::from_millis(ms);
        self.comum.borrow_mut().duvida |= ms >= 1000;
        self.comum.borrow_mut().agora = self.agora;
    }

    fn turno(&mut self) -> Veredito {
        for qual in 0..self.balcoes.len() {
            self.um_turno(qual)?;
        }
        Ok(())
    }

    fn um_turno(&mut self, qual: usize) -> Veredito {
        let mut estoque = NoTurno { comum: &self.comum, qual };
        let balcao = &mut self.balcoes[qual];
        let Ok(()) = balcao.turno(self.agora, &mut self.registro, &mut estoque);
        // Quem aguarda não é trabalho: o laço não pode girar em falso.
        for _ in 0..70 {
            if !balcao.tem_trabalho() {
                return Ok(());
            }
            let mut estoque = NoTurno { comum: &self.comum, qual };
            let Ok(()) = balcao.turno(self.agora, &mut self.registro, &mut estoque);
        }
        exigir(false, "sem novidade, o laço dorme", || format!("o balcão {qual} não sossega"))
    }

    /// O estoque passa a responder a tudo, e os prazos passam.
    fn sossegar(&mut self) -> Veredito {
        for _ in 0..40 {
            for qual in 0..self.balcoes.len() {
                self.comum.borrow_mut().acabar(qual, &mut Rng::with_seed(3));
            }
            self.turno()?;
        }
        Ok(())
    }

    fn conferir(&self) -> Veredito {
        let (mut ditas, mut restantes, mut duvidas) = (0, BTreeSet::new(), 0);
        let mut dos_ids: BTreeMap<&str, String> = BTreeMap::new();
        for (nome, cliente) in self.clientes.iter().enumerate() {
            let ouviu = cliente.cano.borrow().ouviu.clone();
            let (avisos, respostas): (Vec<&str>, Vec<&str>) =
                ouviu.lines().partition(|linha| *linha == AVISO);
            exigir(avisos.len() <= 1, "o AVISO chega uma vez", || format!("{nome}: {ouviu}"))?;
            // Um pedido repetido ouve, depois do AVISO, a resposta que já tinha.
            let mut ditas_a_compras = cliente.pedidos.iter().zip(&respostas);
            let ultimo = ditas_a_compras
                .any(|(pedido, linha)| *pedido == "COMPRAR" && linha.ends_with("restante: 0"));
            let antes = ouviu.find("restante: 0") < ouviu.find(AVISO);
            exigir(
                !ultimo || antes && avisos.len() == 1,
                "o comprador ouve antes do AVISO",
                || format!("{nome}: {ouviu}"),
            )?;
            for (pedido, resposta) in cliente.pedidos.iter().zip(&respostas) {
                let certa = match *pedido {
                    compra if compra == "COMPRAR" || compra.starts_with("PEDIDO") => {
                        resposta.starts_with("Compra realizada. Estoque restante: ")
                            || ["ERRO: Produto esgotado", FORA].contains(resposta)
                    }
                    "CONSULTAR" => resposta.starts_with("Estoque atual: ") || *resposta == FORA,
                    "AJUDA" => resposta.starts_with("Comandos: "),
                    _ => *resposta == "Volte sempre!",
                };
                exigir(certa, "cada um ouve o que pediu, na ordem", || {
                    format!("{nome} pediu {:?} e ouviu {respostas:?}", cliente.pedidos)
                })?;
                if pedido.starts_with("PEDIDO") && *resposta != FORA {
                    match dos_ids.insert(pedido, (*resposta).to_owned()) {
                        None => {}
                        Some(antes) => {
                            exigir(antes == *resposta, "a resposta a um pedido não muda", || {
                                format!("{pedido}: {antes}, e {resposta}")
                            })?;
                            continue;
                        }
                    }
                }
                if let Some(restante) =
                    resposta.strip_prefix("Compra realizada. Estoque restante: ")
                {
                    let nova = restantes.insert(restante.parse::<u64>().unwrap());
                    exigir(nova, "nenhuma unidade se vende duas vezes", || restante.to_string())?;
                    ditas += 1;
                }
            }
            let faltam = &cliente.pedidos[respostas.len().min(cliente.pedidos.len())..];
            let compra = |pedido: &&&str| **pedido == "COMPRAR" || pedido.starts_with("PEDIDO");
            let compras = faltam.iter().filter(compra).count() as u64;
            exigir(
                faltam.is_empty() || compras > 0,
                "só fica sem resposta quem comprava",
                || format!("{nome} pediu {:?} e ouviu {respostas:?}", cliente.pedidos),
            )?;
            duvidas += compras;
        }
        let comum = self.comum.borrow();
        exigir(comum.vendidas + comum.unidades == self.unidades, "as contas fecham", || {
            format!("{comum:?}")
        })?;
        let daqui = comum.vendidas - self.de_fora;
        exigir(
            duvidas == 0 || comum.duvida,
            "quem não tem por que duvidar ouve a resposta",
            || format!("{duvidas} compras sem resposta"),
        )?;
        exigir(
            (ditas..=ditas + duvidas).contains(&daqui),
            "cada venda se anuncia, ou fica em dúvida",
            || {
                format!(
                    "{ditas} anunciadas, {duvidas} em dúvida, {} de fora, {comum:?}",
                    self.de_fora
                )
            },
        )
    }
}
