//! O que pode acontecer em um roteiro, e o sorteio de um roteiro inteiro a partir de uma semente.
//!
//! Tudo o que é acaso está aqui: depois de sorteada, a lista de eventos é executada sem sorteio
//! nenhum, e por isso se pode tirar eventos dela e executar o que sobrou. Os clientes têm nome fixo,
//! e um evento de quem não existe não faz nada, pela mesma razão.
//!
//! Este arquivo não sabe o que o servidor deve fazer com nada disto.

use std::fmt;

use servidor::conexao::{LEITURA_POR_TURNO, Prontidao};

use crate::livro_de_mentira::Sorte;

/// Um cliente, pela ordem em que o roteiro o inventou.
pub type Nome = u8;

/// Um acontecimento do lado de fora do balcão, ou uma volta do laço.
#[derive(Debug, Clone)]
pub enum Evento {
    /// Um cliente conecta.
    Entra(Nome),
    /// Bytes chegam ao socket.
    Manda(Nome, Vec<u8>),
    /// Um byte urgente chega: a leitura para nele, mesmo com bytes depois.
    Urgente(Nome),
    /// O cliente fecha o seu lado; ainda escuta.
    Fecha(Nome),
    /// Um reset; o que chegou e não foi lido pode se perder.
    Quebra { nome: Nome, perde: bool },
    /// Daqui em diante escrever dá erro; ler, não.
    QuebraEscrita(Nome),
    /// Cabem mais tantos bytes na escrita; com zero, o cliente parou de ler.
    Janela(Nome, usize),
    /// Uma escrita leva no máximo isto.
    Gole(Nome, usize),
    /// As próximas leituras serão interrompidas por um sinal.
    InterrompeLeitura(Nome, u8),
    /// As próximas escritas serão interrompidas por um sinal.
    InterrompeEscrita(Nome, u8),
    /// O evento que o epoll devia a este cliente chega, uma ou mais vezes.
    Entrega(Nome, u8),
    /// Todos os eventos devidos chegam; os primeiros são os do cliente dado.
    EntregaTodos(Nome),
    /// Um evento que ninguém causou, para uma chave qualquer, do slab ou não.
    Falso(usize, Sinais),
    /// Uma volta do laço.
    Turno,
    /// O tempo passa, em milissegundos.
    Passa(u64),
    /// O operador pede ao servidor que feche.
    Encerra,
    /// O disco decide o que fará da próxima transação do livro.
    Livro(Sorte),
    /// A próxima transação do livro demora, em milissegundos.
    DiscoDemora(u64),
    /// A luz falta e volta: o servidor abre de novo, com o que o livro tem.
    FaltaLuz,
}

/// Uma [`Prontidao`] que se compara e se imprime.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sinais {
    pub legivel: bool,
    pub gravavel: bool,
    pub secar: bool,
}

impl Sinais {
    pub fn algum(self) -> bool {
        self.legivel || self.gravavel || self.secar
    }

    pub fn prontidao(self) -> Prontidao {
        Prontidao { legivel: self.legivel, gravavel: self.gravavel, ler_ate_secar: self.secar }
    }

    pub fn bits(self) -> u64 {
        u64::from(self.legivel) | u64::from(self.gravavel) << 1 | u64::from(self.secar) << 2
    }
}

impl fmt::Display for Sinais {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nomes = [(self.legivel, "legível"), (self.gravavel, "gravável"), (self.secar, "fim")];
        let ditos: Vec<&str> = nomes.iter().filter(|(vale, _)| *vale).map(|(_, n)| *n).collect();
        f.write_str(&ditos.join("+"))
    }
}

impl fmt::Display for Evento {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Evento::Entra(n) => write!(f, "{n} entra"),
            Evento::Manda(n, bytes) => write!(f, "{n} manda {}", Bytes(bytes)),
            Evento::Urgente(n) => write!(f, "{n} manda um byte urgente"),
            Evento::Fecha(n) => write!(f, "{n} fecha o seu lado"),
            Evento::Quebra { nome, perde: true } => {
                write!(f, "{nome} quebra, e o não lido se perde")
            }
            Evento::Quebra { nome, .. } => write!(f, "{nome} quebra"),
            Evento::QuebraEscrita(n) => write!(f, "{n} quebra só a escrita"),
            Evento::Janela(n, 0) => write!(f, "{n} para de ler"),
            Evento::Janela(n, usize::MAX) => write!(f, "{n} volta a ler"),
            Evento::Janela(n, bytes) => write!(f, "{n} lê só mais {bytes}"),
            Evento::Gole(n, bytes) => write!(f, "{n} passa a ler aos goles de {bytes}"),
            Evento::InterrompeLeitura(n, vezes) => write!(f, "{n}: leitura interrompida {vezes}x"),
            Evento::InterrompeEscrita(n, vezes) => write!(f, "{n}: escrita interrompida {vezes}x"),
            Evento::Entrega(n, vezes) => write!(f, "evento de {n} chega {vezes}x"),
            Evento::EntregaTodos(n) => write!(f, "todos os eventos chegam, desde {n}"),
            Evento::Falso(chave, sinais) => write!(f, "evento falso na chave {chave}: {sinais}"),
            Evento::Turno => f.write_str("turno"),
            Evento::Passa(ms) => write!(f, "passam {ms} ms"),
            Evento::Encerra => f.write_str("o servidor vai fechar"),
            Evento::Livro(sorte) => write!(f, "o disco, na próxima transação: {sorte:?}"),
            Evento::DiscoDemora(ms) => write!(f, "a próxima transação demora {ms} ms"),
            Evento::FaltaLuz => f.write_str("a luz falta e volta"),
        }
    }
}

/// Bytes para ler: escapados, e só o começo de muitos.
pub struct Bytes<'a>(pub &'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOSTRA: usize = 48;
        let Bytes(bytes) = self;
        if bytes.len() <= 2 * MOSTRA {
            return write!(f, "\"{}\"", bytes.escape_ascii());
        }
        let (comeco, fim) = (&bytes[..MOSTRA], &bytes[bytes.len() - MOSTRA..]);
        write!(
            f,
            "\"{}\"…\"{}\" ({} bytes)",
            comeco.escape_ascii(),
            fim.escape_ascii(),
            bytes.len()
        )
    }
}

/// Um roteiro: a casa e o que acontece nela.
#[derive(Debug)]
pub struct Roteiro {
    pub estoque: u64,
    pub conexoes: usize,
    /// O `--max-por-endereco`.
    pub por_endereco: Option<usize>,
    /// O `--ocioso`, em milissegundos.
    pub ocioso: Option<u64>,
    /// No fim, em vez de esperar que todos saiam, o prazo de fechar vence.
    pub abandona: bool,
    pub eventos: Vec<Evento>,
}

/// Quantos eventos tem um roteiro.
const EVENTOS: usize = 200;

impl Roteiro {
    /// O roteiro desta semente.
    pub fn sortear(semente: u64) -> Self {
        let mut dado = Dado(semente);
        let (lugares, mut eventos): (&[usize], Vec<Evento>) = match dado.ate(2048) {
            0 => (&[1000], enxurrada(&mut dado)),
            1..24 => (&[0, 1, 3, 20], porta_cheia(&mut dado)),
            _ => (&[1000, 1000, 1000, 1000, 0, 1, 2, 3, 5], feira(&mut dado)),
        };
        eventos.truncate(EVENTOS);
        Roteiro {
            estoque: *dado.um_de(&[0, 1, 1, 1, 2, 2, 3, 5, 8, 10, 40, u64::MAX]),
            conexoes: *dado.um_de(lugares),
            ocioso: *dado.um_de(&[None, None, None, Some(8), Some(1000), Some(3000), Some(40_000)]),
            abandona: dado.ate(8) == 0,
            // Por último: os roteiros de cada semente são os mesmos de antes dele.
            por_endereco: *dado.um_de(&[None, None, Some(1), Some(2), Some(3)]),
            eventos,
        }
    }
}

/// SplitMix64: pequeno, bom o bastante para roteiros, e o mesmo em qualquer máquina.
struct Dado(u64);

impl Dado {
    fn proximo(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// De zero a `teto`, sem ele.
    fn ate(&mut self, teto: usize) -> usize {
        (self.proximo() % teto as u64) as usize
    }

    fn um_de<'a, T>(&mut self, opcoes: &'a [T]) -> &'a T {
        &opcoes[self.ate(opcoes.len())]
    }
}

/// As espécies de evento e o peso de cada uma. Em cada roteiro algumas não existem: os defeitos
/// gostam de combinações que uma mistura sempre igual quase nunca dá (Groce e outros, "Swarm
/// Testing", 2012).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Especie {
    Turno,
    Entrega,
    EntregaTodos,
    Manda,
    Rajada,
    Entra,
    Fecha,
    Quebra,
    QuebraEscrita,
    Janela,
    Gole,
    InterrompeLeitura,
    InterrompeEscrita,
    Falso,
    Urgente,
    Passa,
    Encerra,
    DiscoDemora,
    FalhaDoLivro,
    FaltaLuz,
}

/// As primeiras nunca faltam.
const SEMPRE: usize = 5;

const PESOS: [(Especie, usize); 20] = [
    (Especie::Turno, 36),
    (Especie::Manda, 30),
    (Especie::Entrega, 14),
    (Especie::EntregaTodos, 14),
    (Especie::Entra, 5),
    (Especie::Rajada, 1),
    (Especie::Fecha, 3),
    (Especie::Quebra, 2),
    (Especie::QuebraEscrita, 1),
    (Especie::Janela, 8),
    (Especie::Gole, 2),
    (Especie::InterrompeLeitura, 2),
    (Especie::InterrompeEscrita, 2),
    (Especie::Falso, 5),
    (Especie::Urgente, 1),
    (Especie::Passa, 4),
    (Especie::Encerra, 1),
    (Especie::DiscoDemora, 1),
    (Especie::FalhaDoLivro, 1),
    (Especie::FaltaLuz, 1),
];

/// As últimas quase sempre faltam: depois de cada uma a casa recomeça vazia, e o que leva muitos
/// eventos a acontecer não aconteceria.
const QUASE_NUNCA: usize = 2;

/// Quem o sorteio acha que ainda está na casa, e o que cada um começou a mandar e não acabou.
struct Elenco {
    proximo: Nome,
    presentes: Vec<Nome>,
    restos: Vec<Vec<u8>>,
    lotacao: usize,
}

impl Elenco {
    fn novo(lotacao: usize) -> Self {
        Elenco { proximo: 0, presentes: Vec::new(), restos: Vec::new(), lotacao }
    }

    /// Entra mais um. Se a casa já tem gente bastante, é no lugar do mais antigo, que talvez até já
    /// tenha saído: o sorteio não sabe.
    fn entra(&mut self) -> Evento {
        if self.presentes.len() == self.lotacao {
            self.presentes.remove(0);
        }
        let nome = self.proximo;
        self.proximo += 1;
        self.presentes.push(nome);
        self.restos.push(Vec::new());
        Evento::Entra(nome)
    }

    fn alguem(&self, dado: &mut Dado) -> Nome {
        *dado.um_de(&self.presentes)
    }

    /// Quem fechou ou quebrou quase sempre sai do elenco; o resto continua a incomodar.
    fn sai(&mut self, nome: Nome, dado: &mut Dado) {
        if self.presentes.len() > 1 && dado.ate(4) > 0 {
            self.presentes.retain(|presente| *presente != nome);
        }
    }
}

/// O roteiro comum: uma feira em que acontece de tudo.
fn feira(dado: &mut Dado) -> Vec<Evento> {
    let mut sorteio = Vec::with_capacity(160);
    for (i, (especie, peso)) in PESOS.iter().enumerate() {
        let vezes = if i < PESOS.len() - QUASE_NUNCA { dado.ate(3) } else { dado.ate(6) / 5 };
        if i < SEMPRE || vezes > 0 {
            sorteio.extend(std::iter::repeat_n(*especie, *peso));
        }
    }
    let mut elenco = Elenco::novo(2 + dado.ate(8));
    let mut eventos = Vec::with_capacity(EVENTOS);
    for _ in 0..1 + dado.ate(3) {
        eventos.push(elenco.entra());
    }
    while eventos.len() < EVENTOS {
        let especie = *dado.um_de(&sorteio);
        acrescentar(especie, dado, &mut elenco, &mut eventos);
    }
    eventos
}

fn acrescentar(especie: Especie, dado: &mut Dado, elenco: &mut Elenco, eventos: &mut Vec<Evento>) {
    let nome = elenco.alguem(dado);
    eventos.push(match especie {
        Especie::Turno => Evento::Turno,
        Especie::Manda if dado.ate(200) == 0 => return leitura_cheia(dado, nome, eventos),
        Especie::Manda => Evento::Manda(nome, fala(dado, &mut elenco.restos[usize::from(nome)])),
        Especie::Rajada => return rajada(dado, elenco, eventos),
        Especie::FalhaDoLivro => {
            eventos.push(Evento::Livro(*dado.um_de(&[Sorte::Perde, Sorte::PerdeSoAResposta])));
            rajada(dado, elenco, eventos);
            return casa_nova(dado, elenco, eventos);
        }
        Especie::DiscoDemora => {
            eventos.push(Evento::DiscoDemora(*dado.um_de(&TEMPOS)));
            return rajada(dado, elenco, eventos);
        }
        Especie::FaltaLuz => {
            eventos.push(Evento::FaltaLuz);
            return casa_nova(dado, elenco, eventos);
        }
        Especie::Entrega => Evento::Entrega(nome, *dado.um_de(&[1, 1, 1, 2, 3])),
        Especie::EntregaTodos => Evento::EntregaTodos(nome),
        Especie::Entra => elenco.entra(),
        Especie::Fecha | Especie::Quebra | Especie::QuebraEscrita => {
            elenco.sai(nome, dado);
            match especie {
                Especie::Fecha => Evento::Fecha(nome),
                Especie::Quebra => Evento::Quebra { nome, perde: dado.ate(2) == 0 },
                _ => Evento::QuebraEscrita(nome),
            }
        }
        Especie::Janela => {
            let abertas = [0, 0, 0, 1, 7, 30, 100, usize::MAX, usize::MAX];
            Evento::Janela(nome, *dado.um_de(&abertas))
        }
        Especie::Gole => Evento::Gole(nome, *dado.um_de(&[1, 5, 20, 50, usize::MAX])),
        Especie::InterrompeLeitura => Evento::InterrompeLeitura(nome, 1 + dado.ate(2) as u8),
        Especie::InterrompeEscrita => Evento::InterrompeEscrita(nome, 1 + dado.ate(2) as u8),
        Especie::Falso => Evento::Falso(dado.ate(elenco.lotacao + 2), sinais(dado)),
        Especie::Urgente => Evento::Urgente(nome),
        Especie::Passa => Evento::Passa(*dado.um_de(&TEMPOS)),
        // Depois do pedido de fechar ninguém entra: que venha depois de bastante coisa.
        Especie::Encerra if eventos.len() > EVENTOS / 2 => Evento::Encerra,
        Especie::Encerra => Evento::Turno,
    });
}

/// Em volta de cada prazo do servidor, e no fio dele.
const TEMPOS: [u64; 18] = [
    1, 2, 5, 10, 100, 250, 999, 1000, 1000, 1500, 1999, 2000, 5000, 10_000, 15_000, 29_000, 30_000,
    40_000,
];

fn sinais(dado: &mut Dado) -> Sinais {
    let bits = 1 + dado.ate(7);
    Sinais { legivel: bits & 1 != 0, gravavel: bits & 2 != 0, secar: bits & 4 != 0 }
}

/// Muitos querem comprar no mesmo turno.
fn rajada(dado: &mut Dado, elenco: &Elenco, eventos: &mut Vec<Evento>) {
    for nome in &elenco.presentes {
        let compras = ["COMPRAR\n", "COMPRAR", "COMPRAR\nCONSULTAR\n", "PEDIDO r\n", "PEDIDO s\n"];
        let compra = *dado.um_de(&compras);
        eventos.push(Evento::Manda(*nome, compra.into()));
    }
    eventos.push(Evento::EntregaTodos(elenco.alguem(dado)));
    eventos.push(Evento::Turno);
}

/// Os de antes se foram com a queda; chegam outros.
fn casa_nova(dado: &mut Dado, elenco: &mut Elenco, eventos: &mut Vec<Evento>) {
    elenco.presentes.clear();
    for _ in 0..1 + dado.ate(3) {
        eventos.push(elenco.entra());
    }
}

const FALAS: [&[u8]; 55] = [
    b"COMPRAR\n",
    b"COMPRAR\n",
    b"COMPRAR\n",
    b"COMPRAR\r\n",
    b"COMPRAR",
    b"COMPRAR",
    b"COMPRAR",
    b"CONSULTAR\n",
    b"CONSULTAR\n",
    b"CONSULTAR",
    b"CONSULTAR",
    b"COMPRAR\nCONSULTAR\nCOMPRAR\n",
    b"COMPRAR\nSAIR\nCOMPRAR\n",
    b"CONSULTAR\nCOMPR",
    b"  CoMpRaR \r\n",
    b"\tconsultar ",
    b"AJUDA\n",
    b"AJUDA",
    b"SAIR\n",
    b"SAIR",
    b"\n",
    b"\r\n",
    b"\r",
    b" ",
    b" \t \n",
    b"xyz\n",
    b"COMPRAR 2\n",
    b"PEDIDO a\n",
    b"PEDIDO a\n",
    b"PEDIDO b\n",
    b"pedido b\r\n",
    b"PEDIDO c\nCOMPRAR\nPEDIDO c\nCONSULTAR\n",
    b"PEDIDO a\nPEDIDO d\nPEDIDO e\n",
    b"PEDIDO f\nPEDIDO g\nPEDIDO h\nPEDIDO a\n",
    b"PEDIDO \t A\n",
    b"PEDIDO i\0",
    b"PEDIDO j",
    b"PEDIDO\n",
    b"PEDIDO x y\n",
    b"\xff\x00\x1b[2J\n",
    b"POST / HTTP/1.1\r\nHost: x\r\n\r\nCOMPRAR\n",
    b"\x16\x03\x01\x00\xa5\x01\nCOMPRAR\n",
    b"\x16 \x03\n",
    b"COMPRAR\0",
    b"CONSULTAR\0\0\0\0",
    b"\0comprar\0\n\0",
    b"xyz\0",
    b"xyz\0\0",
    b"a\0b\n",
    b"\xff\xfd\x03\xff\xfb\x18",
    b"\xff\xfa\x18\x00vt100\xff\xf0",
    b"\xff\xf6CONSULTAR\n",
    b"\xff\xff",
    b"\xef\xbb\xbfCOMPRAR\n",
    b"\xef\xbb",
];

/// O próximo pedaço do que um cliente manda: o que faltava, ou uma fala, às vezes cortada.
fn fala(dado: &mut Dado, resto: &mut Vec<u8>) -> Vec<u8> {
    if !resto.is_empty() && dado.ate(4) > 0 {
        return std::mem::take(resto);
    }
    let mut dita = match dado.ate(128) {
        0 => no_limite(dado),
        1 => em_um_buffer(dado),
        2 => pedidos_demais(dado),
        _ => dado.um_de(&FALAS).to_vec(),
    };
    if dado.ate(4) == 0 {
        let corte = dado.ate(dita.len()).max(1);
        *resto = dita.split_off(corte);
    }
    dita
}

/// Uma linha em volta do tamanho máximo.
fn no_limite(dado: &mut Dado) -> Vec<u8> {
    let mut linha = vec![*dado.um_de(b"x \r"); 510 + dado.ate(5)];
    let fins = ["", "\n", "\r\n", "\nCOMPRAR\n", "COMPRAR\n"];
    linha.extend_from_slice(dado.um_de(&fins).as_bytes());
    linha
}

/// Uma palavra em um buffer inteiro, como a manda quem escreve em C.
fn em_um_buffer(dado: &mut Dado) -> Vec<u8> {
    let mut buffer = dado.um_de(&["COMPRAR", "consultar", "xyz", "SAIR"]).as_bytes().to_vec();
    buffer.resize(*dado.um_de(&[64, 512, 513, 1024]), 0);
    buffer
}

/// Mais pedidos, em uma leitura, do que um turno atende de uma conexão.
fn pedidos_demais(dado: &mut Dado) -> Vec<u8> {
    let pedido = *dado.um_de(&["x\n", "x\n", "COMPRAR\n", "CONSULTAR\n", "AJUDA\n\n"]);
    let mut pedidos = pedido.repeat(62 + dado.ate(200));
    let fins = ["", "COMPRAR", "SAIR\nCOMPRAR\n", "AJ", "CONSULTAR\n"];
    let fim = dado.um_de(&fins);
    pedidos.push_str(fim);
    pedidos.into_bytes()
}

/// Uma leitura que vem cheia, e o que o cliente faz enquanto o balcão não sabe se há mais.
fn leitura_cheia(dado: &mut Dado, nome: Nome, eventos: &mut Vec<Evento>) {
    let vezes = 1 + usize::from(dado.ate(4) == 0);
    let fim = *dado.um_de(&["COMPRAR", "COMPRAR", "CONSULTAR\n", "COMPRAR\n", "SAIR\n", "AJUDA"]);
    let mut cheia = vec![b' '; vezes * LEITURA_POR_TURNO - fim.len()];
    cheia.iter_mut().step_by(64).for_each(|byte| *byte = b'\n');
    cheia.extend_from_slice(fim.as_bytes());
    eventos.push(Evento::Manda(nome, cheia));
    eventos.push(Evento::Entrega(nome, 1));
    if dado.ate(2) == 0 {
        eventos.push(Evento::Turno);
    }
    match dado.ate(6) {
        0 => eventos.push(Evento::Fecha(nome)),
        1 => eventos.push(Evento::Quebra { nome, perde: dado.ate(2) == 0 }),
        2 => eventos.push(Evento::Manda(nome, b"CONSULTAR\n".to_vec())),
        3 => eventos.push(Evento::InterrompeLeitura(nome, 1)),
        _ => {}
    }
}

/// Pedidos curtos, e de tanta gente, que um turno não atende todos: o teto do trabalho.
fn enxurrada(dado: &mut Dado) -> Vec<Evento> {
    let gente = 60 + dado.ate(8);
    let mut elenco = Elenco::novo(gente);
    let mut eventos: Vec<Evento> = (0..gente).map(|_| elenco.entra()).collect();
    for nome in 0..gente as Nome {
        let linhas = 60 + dado.ate(150);
        eventos.push(Evento::Manda(nome, b"x\n".repeat(linhas)));
    }
    for _ in 0..4 {
        eventos.push(Evento::EntregaTodos(elenco.alguem(dado)));
        eventos.push(Evento::Turno);
        let nome = elenco.alguem(dado);
        acrescentar(Especie::Manda, dado, &mut elenco, &mut eventos);
        eventos.push(Evento::Janela(nome, dado.ate(200)));
        eventos.push(Evento::Manda(nome, b"COMPRAR\n".to_vec()));
    }
    while eventos.len() < EVENTOS {
        let especie = *dado.um_de(&[Especie::Turno, Especie::EntregaTodos, Especie::Janela]);
        acrescentar(especie, dado, &mut elenco, &mut eventos);
    }
    eventos
}

/// Muito mais gente do que lugares, e do que explicações ao mesmo tempo.
fn porta_cheia(dado: &mut Dado) -> Vec<Evento> {
    let mut elenco = Elenco::novo(120);
    let mut eventos = vec![elenco.entra()];
    let especies = [
        Especie::Entra,
        Especie::Entra,
        Especie::Entra,
        Especie::Entra,
        Especie::Entra,
        Especie::Manda,
        Especie::Turno,
        Especie::Janela,
        Especie::Fecha,
        Especie::Quebra,
    ];
    while eventos.len() < EVENTOS {
        let especie = match dado.ate(40) {
            0 => Especie::EntregaTodos,
            1 => Especie::Passa,
            _ => *dado.um_de(&especies),
        };
        acrescentar(especie, dado, &mut elenco, &mut eventos);
    }
    eventos
}
