//! O que se viu de um cliente de aluno: as conexões dele, o que pediu e quando, e o que apareceu no console. Aqui só
//! há dados, e quem é o usuário de cada conexão.

use std::time::Duration;

/// Quem fecha uma conexão e logo abre outra pode ser visto a abrir antes de se ver que fechou.
const TROCA: Duration = Duration::from_millis(100);

/// Quem atende uma conexão e o relógio do observador podem não esperar pela máquina exatamente ao mesmo tempo.
const LOGO_ANTES: Duration = Duration::from_secs(1);

/// Tudo o que se viu em uma cena. Os instantes contam do começo dela.
#[derive(Debug, Clone, Default)]
pub struct Visto {
    /// As conexões, na ordem em que chegaram.
    pub conexoes: Vec<Conexao>,
    /// Quando a última unidade foi vendida.
    pub esgotou: Option<Duration>,
    /// Quando o servidor fechou todas as conexões de propósito.
    pub fechou_tudo: Option<Duration>,
    /// Quantas vezes o AVISO aparecia no console, cada vez que isso mudou.
    pub avisos_no_console: Vec<Contagem>,
    /// O console encheu, e o que veio depois não se guardou.
    pub console_cheio: bool,
    /// A exceção que apareceu no console, se alguma apareceu.
    pub excecao: Option<String>,
    /// Quanto o console cresceu, em bytes, depois de fechadas as conexões.
    pub console_depois_de_fechar: usize,
    /// Quando o programa terminou por si.
    pub terminou: Option<Duration>,
    /// Quando esta máquina não deixou o observador acordar a tempo, na ordem.
    pub atrasos: Vec<Atraso>,
    /// Quanto durou a cena.
    pub duracao: Duration,
}

/// O relógio do observador devia ter acordado em `de`, e só acordou em `ate`: a máquina fazia outra coisa, e o cliente
/// também pode ter esperado por ela.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Atraso {
    /// Quando devia ter acordado.
    pub de: Duration,
    /// Quando acordou.
    pub ate: Duration,
}

/// O AVISO no console, em um instante.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contagem {
    /// Quando se tinha olhado antes: o que apareceu não é mais antigo que isto.
    pub desde: Duration,
    /// Quando se viu.
    pub quando: Duration,
    /// Quantas vezes o texto mandado apareceu até ali.
    pub exatos: usize,
    /// Quantas vezes se falou em aviso, com qualquer texto.
    pub parecidos: usize,
}

/// Como o servidor trata uma conexão.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Modo {
    /// Responde logo, com fim de linha.
    #[default]
    Comum,
    /// Responde sem fim de linha.
    SemFimDeLinha,
    /// Demora em uma das respostas.
    Lento,
}

/// Uma conexão do aluno.
#[derive(Debug, Clone, Default)]
pub struct Conexao {
    /// Como foi tratada.
    pub modo: Modo,
    /// A que porta chegou.
    pub porta: u16,
    /// Quando chegou.
    pub chegou: Duration,
    /// Quando o aluno a deixou; `None` se continuava aberta no fim, ou se fomos nós que a fechamos.
    pub saiu: Option<Duration>,
    /// O que pediu, na ordem.
    pub pedidos: Vec<Pedido>,
    /// Quando o AVISO foi mandado a ela.
    pub aviso: Option<Duration>,
    /// O primeiro texto que não é do protocolo.
    pub estranho: Option<String>,
}

/// Um pedido, e o que se respondeu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pedido {
    /// Foi COMPRAR? Senão, CONSULTAR.
    pub compra: bool,
    /// Quando chegou.
    pub quando: Duration,
    /// Quando a resposta foi mandada; `None` se não chegou a ser.
    pub respondido: Option<Duration>,
    /// O que se respondeu.
    pub resposta: Resposta,
    /// A resposta demorou de propósito.
    pub atrasado: bool,
}

/// O que o servidor respondeu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resposta {
    /// O estoque.
    Estoque(u64),
    /// Vendeu, e restaram tantas. Com zero, o AVISO foi colado na resposta.
    Vendida(u64),
    /// Esgotado.
    Esgotado,
}

impl Conexao {
    /// Quantas compras pediu.
    pub fn compras(&self) -> usize {
        self.pedidos.iter().filter(|pedido| pedido.compra).count()
    }
}

/// As conexões de cada usuário, pelos índices.
#[derive(Debug, PartialEq, Eq)]
pub struct Usuarios {
    /// As de cada um, na ordem.
    pub conexoes: Vec<Vec<usize>>,
    /// Uma conexão por ciclo, ou por comando: de quem é cada uma, só se supõe.
    pub supostos: bool,
}

impl Visto {
    /// A porta em que conectou, se foi uma só.
    pub fn porta(&self) -> Option<u16> {
        let primeira = self.conexoes.first()?.porta;
        self.conexoes.iter().all(|conexao| conexao.porta == primeira).then_some(primeira)
    }

    /// Quantas conexões estiveram abertas ao mesmo tempo.
    pub fn simultaneas(&self) -> usize {
        let abertas = |quando: Duration| {
            let aberta =
                |c: &&Conexao| c.chegou <= quando && c.saiu.is_none_or(|fim| fim > quando + TROCA);
            self.conexoes.iter().filter(aberta).count()
        };
        self.conexoes.iter().map(|conexao| abertas(conexao.chegou)).max().unwrap_or(0)
    }

    /// O maior atraso do observador entre estes instantes.
    pub fn atraso(&self, de: Duration, ate: Duration) -> Duration {
        let tocam = self.os_que_tocam(de, ate);
        tocam.map(|atraso| atraso.ate.saturating_sub(atraso.de)).max().unwrap_or_default()
    }

    /// Quanto pode ter esperado, antes de ser anotado, o que chegou neste instante.
    pub fn atraso_em(&self, quando: Duration) -> Duration {
        self.atraso(quando.saturating_sub(LOGO_ANTES), quando)
    }

    /// Quanto tempo, entre estes instantes, esta máquina não foi do observador quando ele a quis.
    pub fn perdido(&self, de: Duration, ate: Duration) -> Duration {
        let dentro = |atraso: &Atraso| atraso.ate.min(ate).saturating_sub(atraso.de.max(de));
        self.os_que_tocam(de, ate).map(dentro).sum()
    }

    fn os_que_tocam(&self, de: Duration, ate: Duration) -> impl Iterator<Item = &Atraso> {
        let primeiro = self.atrasos.partition_point(|atraso| atraso.ate < de);
        self.atrasos[primeiro..].iter().take_while(move |atraso| atraso.de <= ate)
    }

    /// De quem é cada conexão. Se as conexões servem a vários ciclos, cada uma é um usuário; se não, a que chega é de
    /// quem acabou de sair.
    pub fn usuarios(&self) -> Usuarios {
        let usadas: Vec<usize> =
            (0..self.conexoes.len()).filter(|i| !self.conexoes[*i].pedidos.is_empty()).collect();
        let longas = usadas.iter().filter(|i| self.conexoes[**i].compras() >= 2).count();
        if longas * 2 >= usadas.len() {
            return Usuarios {
                conexoes: usadas.into_iter().map(|i| vec![i]).collect(),
                supostos: false,
            };
        }
        let mut donos: Vec<Vec<usize>> = Vec::new();
        for indice in usadas {
            let chegou = self.conexoes[indice].chegou;
            let saida = |dono: &Vec<usize>| dono.last().and_then(|i| self.conexoes[*i].saiu);
            let ja_saiu = |saiu: Duration| saiu <= chegou + TROCA + self.atraso(chegou, saiu);
            let livres = donos.iter_mut().filter(|dono| saida(dono).is_some_and(ja_saiu));
            match livres.max_by_key(|dono| saida(dono)) {
                Some(dono) => dono.push(indice),
                None => donos.push(vec![indice]),
            }
        }
        Usuarios { conexoes: donos, supostos: true }
    }
}
