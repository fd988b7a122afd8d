//! As chaves do estoque repartido, o que cada uma guarda, e as contas que se tiram delas.
//!
//! ```text
//!   venda/e/estoque        "ENTRADAS CLUSTER"              até que posição há unidades, e de que cluster
//!   venda/e/caixa-NOME     "PEDIDAS SEQUENCIA INSTANCIA"   quantas compras este servidor já pediu
//!   venda/p/NOME           "SEQUENCIA INSTANTE endereços"  o último lote dele
//!   venda/v/POSICAO        "NOME INSTANTE ANTES endereços" as vendas de um lote, para ler depois
//!   venda/r/NUMERO         "POSICAO UNIDADES INSTANTE"     o estoque inicial, 0, e cada reposição
//!   venda/i/ID             "LUGAR COMPRAS"                 o lugar deste pedido no lote em que foi
//! ```
//!
//! Um endereço é o de quem comprou, com `#ID` se foi com um PEDIDO.
//!
//! Cada compra pedida toma a posição seguinte, a soma de tudo o que todos já pediram mais um; leva uma unidade
//! quem fica em uma posição até ENTRADAS. É somar, e não comparar e trocar: dois servidores nunca disputam a
//! mesma escrita, e a ordem é a do etcd.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use protocolo::Id;

use super::etcd::Par;

/// O prefixo do que decide uma venda.
pub const BALANCO: &str = "venda/e/";
/// Quanto já entrou.
pub const ESTOQUE: &str = "venda/e/estoque";
const PEDIDOS: &str = "venda/i/";
const CAIXA: &str = "venda/e/caixa-";
/// O prefixo das vendas.
pub const VENDAS: &str = "venda/v/";
/// O prefixo das entradas no estoque.
pub const ENTRADAS: &str = "venda/r/";
/// O prefixo dos últimos lotes.
pub const LOTES: &str = "venda/p/";

/// A chave do caixa de um servidor.
pub fn chave_do_caixa(nome: &str) -> String {
    format!("{CAIXA}{nome}")
}

/// A chave do último lote de um servidor.
pub fn chave_do_lote(nome: &str) -> String {
    format!("{LOTES}{nome}")
}

/// A chave das vendas que começam nesta posição: vinte dígitos, para que a ordem do texto seja a dos números.
pub fn chave_das_vendas(posicao: u64) -> String {
    format!("{VENDAS}{posicao:020}")
}

/// A chave da entrada de unidades de um número; a 0 é o estoque inicial.
pub fn chave_da_entrada(numero: u64) -> String {
    format!("{ENTRADAS}{numero:020}")
}

/// A chave de um pedido com id.
pub fn chave_do_pedido(id: &Id) -> String {
    format!("{PEDIDOS}{}", id.texto())
}

/// Quem compra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comprador {
    /// De onde.
    pub endereco: SocketAddr,
    /// Com que id, se foi com um PEDIDO.
    pub id: Option<Id>,
}

impl From<SocketAddr> for Comprador {
    fn from(endereco: SocketAddr) -> Self {
        Comprador { endereco, id: None }
    }
}

impl fmt::Display for Comprador {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            None => write!(f, "{}", self.endereco),
            Some(id) => write!(f, "{}#{}", self.endereco, id.texto()),
        }
    }
}

impl Comprador {
    fn ler(texto: &str) -> Option<Self> {
        let (endereco, id) = match texto.split_once('#') {
            None => (texto, None),
            Some((endereco, id)) => (endereco, Some(Id::ler(id.as_bytes())?)),
        };
        Some(Comprador { endereco: endereco.parse().ok()?, id })
    }
}

/// Um pedido com id que já foi em um lote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atendido {
    /// Qual.
    pub id: Id,
    /// O lugar dele no lote, a contar de 0.
    pub lugar: u64,
    /// Quantas compras o lote tinha.
    pub compras: u64,
    /// A revisão em que o lote valeu.
    pub em: u64,
}

impl Atendido {
    /// O que se escreve do pedido que vai neste lugar, em um lote destas compras.
    pub fn texto(lugar: usize, compras: usize) -> String {
        format!("{lugar} {compras}")
    }

    /// O que uma chave `venda/i/` diz; `None` se a chave é de outra coisa.
    ///
    /// # Errors
    ///
    /// Foi mexida: é o nome dela.
    pub fn ler(par: &Par) -> Option<Result<Self, String>> {
        let id = par.chave.strip_prefix(PEDIDOS)?;
        let lido = || {
            let (lugar, compras) = par.valor.split_once(' ')?;
            let (lugar, compras) = (lugar.parse().ok()?, compras.parse().ok()?);
            let id = Id::ler(id.as_bytes())?;
            (lugar < compras).then_some(Atendido { id, lugar, compras, em: par.escrita_em })
        };
        Some(lido().ok_or_else(|| par.chave.clone()))
    }

    /// Quanto sobrou depois dele, se `depois` é o balanço de quando o lote valeu; `None` se já não havia.
    pub fn restante(&self, depois: &Balanco) -> Option<u64> {
        let posicao = depois.pedidas().checked_sub(self.compras)? + self.lugar + 1;
        depois.entradas?.checked_sub(posicao)
    }
}

/// Unidades que entraram no estoque.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrada {
    /// A posição depois da qual ficam: a última que já tinha unidade ou comprador.
    pub posicao: u64,
    /// Quantas.
    pub unidades: u64,
    /// Quando, pelo relógio de quem as pôs (RFC 3339).
    pub instante: String,
}

impl Entrada {
    /// Como se escreve.
    pub fn texto(&self) -> String {
        format!("{} {} {}", self.posicao, self.unidades, self.instante)
    }

    /// O que uma chave `venda/r/` diz.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(par: &Par) -> Result<Self, String> {
        let lida = || {
            let mut partes = par.valor.splitn(3, ' ');
            let posicao = partes.next()?.parse().ok()?;
            let unidades = partes.next()?.parse().ok()?;
            Some(Entrada { posicao, unidades, instante: partes.next()?.to_owned() })
        };
        lida().ok_or_else(|| par.chave.clone())
    }
}

/// O que um servidor já pediu.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caixa {
    /// Compras pedidas, as recusadas inclusive.
    pub pedidas: u64,
    /// Quantos lotes já pediu.
    pub sequencia: u64,
    /// Que processo: o mesmo nome em outro processo é outro.
    pub instancia: u64,
    /// Em que revisão do etcd isto foi escrito; 0, nunca.
    pub escrito_em: u64,
}

impl Caixa {
    /// Como se escreve.
    pub fn texto(self) -> String {
        format!("{} {} {}", self.pedidas, self.sequencia, self.instancia)
    }
}

/// O que decide uma venda, em uma revisão do etcd.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Balanco {
    /// Até que posição há unidades; `None`, o estoque ainda não foi criado.
    pub entradas: Option<u64>,
    /// O cluster em que foi criado.
    pub cluster: u64,
    /// O caixa de cada servidor.
    pub caixas: BTreeMap<String, Caixa>,
}

impl Balanco {
    /// O que estas chaves dizem.
    ///
    /// # Errors
    ///
    /// Uma delas não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(pares: &[Par]) -> Result<Self, String> {
        let mut balanco = Balanco::default();
        pares.iter().try_for_each(|par| balanco.mudar(par))?;
        Ok(balanco)
    }

    /// Uma chave passou a ser isto.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi apagada: é o nome dela.
    pub fn mudar(&mut self, par: &Par) -> Result<(), String> {
        let numeros: Option<Vec<u64>> = par.valor.split(' ').map(|n| n.parse().ok()).collect();
        match (par.chave.strip_prefix(CAIXA), numeros.as_deref()) {
            (Some(nome), Some(&[pedidas, sequencia, instancia])) => {
                let escrito_em = par.escrita_em;
                let caixa = Caixa { pedidas, sequencia, instancia, escrito_em };
                self.caixas.insert(nome.to_owned(), caixa);
                Ok(())
            }
            (None, Some(&[entradas, cluster])) if par.chave == ESTOQUE => {
                (self.entradas, self.cluster) = (Some(entradas), cluster);
                Ok(())
            }
            _ => Err(par.chave.clone()),
        }
    }

    /// Quantas compras todos já pediram: a última posição tomada.
    pub fn pedidas(&self) -> u64 {
        self.caixas.values().fold(0, |soma, caixa| soma.saturating_add(caixa.pedidas))
    }

    /// Unidades à venda.
    pub fn a_venda(&self) -> u64 {
        self.entradas.unwrap_or(0).saturating_sub(self.pedidas())
    }
}

/// As vendas de um lote, como ficam escritas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendidas {
    /// A posição da primeira.
    pub posicao: u64,
    /// Quem vendeu.
    pub servidor: String,
    /// Quando se propôs o lote, pelo relógio de quem vendeu (RFC 3339).
    pub instante: String,
    /// Unidades à venda antes da primeira.
    pub antes: u64,
    /// Quem comprou, na ordem.
    pub compradores: Vec<Comprador>,
}

impl Vendidas {
    /// Como se escrevem.
    pub fn texto(&self) -> String {
        let mut texto = format!("{} {} {}", self.servidor, self.instante, self.antes);
        for comprador in &self.compradores {
            texto.push(' ');
            texto.push_str(&comprador.to_string());
        }
        texto
    }

    /// O que uma chave `venda/v/` diz.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(par: &Par) -> Result<Self, String> {
        let lida = || {
            let posicao = par.chave.strip_prefix(VENDAS)?.parse().ok()?;
            let mut partes = par.valor.split(' ');
            let servidor = partes.next()?.to_owned();
            let instante = partes.next()?.to_owned();
            let antes = partes.next()?.parse().ok()?;
            let compradores = partes.map(Comprador::ler).collect::<Option<_>>()?;
            Some(Vendidas { posicao, servidor, instante, antes, compradores })
        };
        lida().ok_or_else(|| par.chave.clone())
    }
}

/// O último lote de um servidor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UltimoLote {
    /// A sequência do caixa dele.
    pub sequencia: u64,
    /// Quando se propôs.
    pub instante: String,
    /// Quem queria comprar.
    pub compradores: Vec<Comprador>,
}

impl UltimoLote {
    /// Os pedidos dele que têm um id, e o lugar de cada um.
    pub fn pedidos(&self) -> impl Iterator<Item = (usize, &Id)> {
        let lugares = self.compradores.iter().enumerate();
        lugares.filter_map(|(lugar, comprador)| Some((lugar, comprador.id.as_ref()?)))
    }

    /// Há algum?
    pub fn tem_pedidos(&self) -> bool {
        self.compradores.iter().any(|comprador| comprador.id.is_some())
    }

    /// Como se escreve.
    pub fn texto(&self) -> String {
        let mut texto = format!("{} {}", self.sequencia, self.instante);
        for comprador in &self.compradores {
            texto.push(' ');
            texto.push_str(&comprador.to_string());
        }
        texto
    }

    /// O que uma chave `venda/p/` diz.
    ///
    /// # Errors
    ///
    /// Não é nossa, ou foi mexida: é o nome dela.
    pub fn ler(par: &Par) -> Result<Self, String> {
        let lido = || {
            let mut partes = par.valor.split(' ');
            let sequencia = partes.next()?.parse().ok()?;
            let instante = partes.next()?.to_owned();
            let compradores = partes.map(Comprador::ler).collect::<Option<_>>()?;
            Some(UltimoLote { sequencia, instante, compradores })
        };
        lido().ok_or_else(|| par.chave.clone())
    }

    /// O que dele se vendeu, se `depois` é o balanço logo depois dele; `None` se nada.
    pub fn vendidas(&self, servidor: &str, depois: &Balanco) -> Option<Vendidas> {
        let pedidas = self.compradores.len() as u64;
        let posicao = depois.pedidas() - pedidas;
        let antes = depois.entradas.unwrap_or(0).saturating_sub(posicao);
        let quantas = usize::try_from(antes.min(pedidas)).unwrap_or(usize::MAX);
        (quantas > 0).then(|| Vendidas {
            posicao: posicao + 1,
            servidor: servidor.to_owned(),
            instante: self.instante.clone(),
            antes,
            compradores: self.compradores[..quantas].to_vec(),
        })
    }
}
