//! Enganos no reator, nos sinais e no programa.

use crate::oficina::{Defeito, Teste, no, por};

const BALCAO: &str = "servidor/src/balcao.rs";
const REATOR: &str = "servidor/src/reator.rs";
const ACEITE: &str = "servidor/src/reator/aceite.rs";
const PARADA: &str = "servidor/src/reator/parada.rs";
const PORTA: &str = "servidor/src/porta.rs";
const REPOSICAO: &str = "servidor/src/reator/reposicao.rs";
const MAIN: &str = "servidor/src/main.rs";
const TERMINAL: &str = "protocolo/src/terminal/sinais_unix.rs";
const SISTEMA: &str = "servidor/src/sistema/unix.rs";

const fn unidade(nome: &'static str) -> Teste {
    Teste::Unidade("servidor", nome)
}

pub const DEFEITOS: &[Defeito] = &[
    // A porta.
    por(
        unidade("aceita_um_tanto"),
        ACEITE,
        "aceita-se o dobro por turno",
        "for _ in 0..maximo {",
        "for _ in 0..2 * maximo {",
    ),
    por(
        unidade("quem_desiste_a_porta"),
        ACEITE,
        "quem desiste à porta faz esperar os outros",
        "| ErrorKind::ConnectionAborted",
        "",
    ),
    por(
        unidade("sem_com_que_aceitar"),
        ACEITE,
        "a pausa do aceite não tem prazo",
        "Aceite::Pausado(ate) => Some(ate),",
        "Aceite::Pausado(_) => None,",
    ),
    por(
        unidade("sem_com_que_aceitar"),
        ACEITE,
        "a pausa do aceite não acaba",
        "Aceite::Pausado(ate) => agora >= ate,",
        "Aceite::Pausado(ate) => ate < agora - PAUSA_DO_ACEITE,",
    ),
    por(
        no("servidor", "com_a_casa_vazia_e_sem_descritores"),
        REATOR,
        "o laço não conta com a pausa do aceite",
        "let prazos = [self.balcao.proximo_prazo(), self.aceite.prazo(),",
        "let prazos = [self.balcao.proximo_prazo(), None,",
    ),
    por(
        no("servidor", "com_a_casa_vazia_e_sem_descritores"),
        ACEITE,
        "sem descritores, espera-se outro evento",
        "_ => return Aceite::Pausado(agora + PAUSA_DO_ACEITE),",
        "_ => return Aceite::Espera,",
    ),
    por(
        no("encerramento", "quem_ja_estava_a_porta"),
        REATOR,
        "a fila da porta é de um",
        "reservada.socket.listen(FILA_DE_ESPERA)?;",
        "reservada.socket.listen(1)?;",
    ),
    por(
        no("encerramento", "a_mesma_porta_reabre"),
        SISTEMA,
        "a porta não reabre logo depois",
        "socket.set_reuse_address(true)",
        "socket.set_reuse_address(false)",
    ),
    por(
        no("servidor", "as_respostas_nao_esperam_umas_pelas_outras"),
        REATOR,
        "sem TCP_NODELAY",
        "            let _ = fluxo.set_nodelay(true);\n",
        "",
    ),
    por(
        no("servidor", "quem_cala_e_perguntado"),
        PORTA,
        "quem some ocupa o lugar para sempre",
        "    vigiar_o_caminho(&socket)?;\n",
        "",
    ),
    por(
        no("registro", "um_ipv4_que_chega_por_ipv6"),
        REATOR,
        "um IPv4 por IPv6 se escreve como IPv6",
        "let de = SocketAddr::new(de.ip().to_canonical(), de.port());",
        "let de = SocketAddr::new(de.ip(), de.port());",
    ),
    por(
        no("operador", "o_endereco_pedido_e_so_ele"),
        PORTA,
        "--endereco :: também atende por IPv4",
        "socket.set_only_v6(familias == Familias::Uma)?;",
        "socket.set_only_v6(false)?;",
    ),
    por(
        no("operador", "sem_endereco_atende_por_ipv4"),
        PORTA,
        "sem endereço, só se atende por IPv6",
        "socket.set_only_v6(familias == Familias::Uma)?;",
        "socket.set_only_v6(true)?;",
    ),
    por(
        unidade("a_porta_que_outro_programa_tem"),
        PORTA,
        "a porta de outro programa no IPv6 se divide com ele",
        "        Err(erro) if negada(&erro) => Err(erro),\n",
        "",
    ),
    por(
        unidade("a_porta_que_outro_programa_tem"),
        PORTA,
        "a porta de outro programa no IPv4 se divide com ele",
        "        return Err(erro);\n    }\n    match abrir(v6",
        "        drop(erro);\n    }\n    match abrir(v6",
    ),
    por(
        unidade("sem_ipv6_atende_por_ipv4"),
        PORTA,
        "sem IPv6 não se abre",
        "        Err(_) => Ok((abrir(v4, Familias::Uma)?, Familias::SoIpv4)),",
        "        Err(erro) => Err(erro),",
    ),
    // O laço.
    por(
        no("servidor", "um_byte_urgente_nao_esconde"),
        REATOR,
        "o byte urgente esconde o que vem depois",
        "ler_ate_secar: fim || evento.is_priority() || !INTERESSE.is_priority(),",
        "ler_ate_secar: fim,",
    ),
    por(
        no("servidor", "quem_nada_manda_e_fechado_por_ocioso"),
        REATOR,
        "as linhas do turno não são entregues",
        "            self.aceitar(agora);\n            self.registro.entregar();\n",
        "            self.aceitar(agora);\n",
    ),
    por(
        no("operador", "o_registro_em_arquivo_tem_a_abertura"),
        REATOR,
        "o arquivo de registro não diz a abertura",
        "        self.anotar_a_abertura();\n",
        "",
    ),
    por(
        no("operador", "o_registro_em_arquivo_tem_a_abertura"),
        REATOR,
        "as contas do arquivo trocam de lugar",
        "contas.conexoes, contas.pico, contas.lotadas, contas.lotadas_para_o_ip, contas.pedidos,",
        "contas.pedidos, contas.lotadas, contas.pico, contas.lotadas_para_o_ip, contas.conexoes,",
    ),
    por(
        no("servidor", "quem_nada_manda_e_fechado_por_ocioso"),
        REATOR,
        "o laço não acorda para os prazos",
        "let prazos = [self.balcao.proximo_prazo(), self.aceite.prazo(),",
        "let prazos = [None, self.aceite.prazo(),",
    ),
    // Repor com o servidor aberto.
    por(
        no("livro", "o_servidor_aberto_repoe"),
        REATOR,
        "o que se repôs não se vende",
        "        self.balcao.repor(unidades, &mut self.registro);\n",
        "",
    ),
    por(
        no("livro", "o_registro_diz_que_se_repos"),
        BALCAO,
        "o registro não diz que se repôs",
        "            registro.reposto(havia, a_venda);\n",
        "",
    ),
    por(
        no("livro", "o_que_nao_cabe_e_recusado"),
        REATOR,
        "repõe-se o que não cabe",
        "if let Some(erro) = livro.nao_cabe(unidades) {",
        "if let Some(erro) = livro.nao_cabe(unidades).filter(|_| unidades == 0) {",
    ),
    por(
        no("livro", "o_socket_e_so_do_dono"),
        SISTEMA,
        "qualquer um pede que se reponha",
        "Permissions::from_mode(0o600)",
        "Permissions::from_mode(0o666)",
    ),
    por(
        no("livro", "o_que_se_disse_reposto_sobrevive"),
        SISTEMA,
        "o socket de quem caiu fica no caminho",
        "if ali.file_type().is_socket() => fs::remove_file(caminho)?,",
        "if ali.file_type().is_socket() => {}",
    ),
    por(
        no("livro", "outro_arquivo_no_lugar_do_socket"),
        SISTEMA,
        "o que estiver no lugar do socket se apaga",
        "Ok(_) => return Err(ErrorKind::AlreadyExists.into()),",
        "Ok(_) => fs::remove_file(caminho)?,",
    ),
    por(
        no("livro", "o_socket_e_so_do_dono"),
        REPOSICAO,
        "o socket fica depois do servidor",
        "            let _ = fs::remove_file(&self.caminho);\n",
        "",
    ),
    por(
        unidade("o_socket_que_some_e_so_o_nosso"),
        REPOSICAO,
        "quem sai leva o socket de outro servidor",
        " && quem_esta(&self.caminho) == self.nosso",
        "",
    ),
    por(
        no("livro", "quem_se_cala_ou_manda_lixo"),
        REPOSICAO,
        "quem se cala segura os outros pedidos",
        "Leitura::Falta if agora < conversa.ate => None,",
        "Leitura::Falta if agora < conversa.ate + 99 * PRAZO => None,",
    ),
    por(
        no("livro", "quem_se_cala_ou_manda_lixo"),
        REPOSICAO,
        "quem esperava a vez é esquecido",
        "        self.tentar = Some(agora);\n    }\n\n    fn aceitar",
        "        self.tentar = None;\n        let _ = agora;\n    }\n\n    fn aceitar",
    ),
    // O encerramento.
    por(
        no("encerramento", "quem_ja_estava_a_porta"),
        REATOR,
        "quem já estava à porta fica lá",
        "        self.aceitar_ate(FILA_DE_ESPERA as usize, agora);\n",
        "",
    ),
    por(
        no("encerramento", "o_segundo_sinal"),
        REATOR,
        "encerrando, a porta continua aberta",
        "        self.escuta = None;\n",
        "",
    ),
    por(
        no("encerramento", "um_cliente_que_nao_le_nao_segura"),
        REATOR,
        "o encerramento não tem prazo",
        "self.prazo_final = Some(agora + PRAZO_DO_ENCERRAMENTO);",
        "self.prazo_final = Some(agora + 99 * PRAZO_DO_ENCERRAMENTO);",
    ),
    por(
        no("encerramento", "o_que_ja_chegou"),
        REATOR,
        "o encerramento não espera as respostas",
        "self.balcao.vazio() || agora >= prazo",
        "self.balcao.vazio() || agora < prazo",
    ),
    por(
        no("encerramento", "um_cliente_que_nao_le_nao_segura"),
        REATOR,
        "quem ficou para trás não vai ao registro",
        "        self.balcao.abandonar(&mut self.registro);\n",
        "",
    ),
    por(
        no("encerramento", "o_que_ja_chegou"),
        REATOR,
        "encerrar não encerra o balcão pela ordem",
        "        self.balcao.encerrar();\n    }\n\n    fn terminou",
        "    }\n\n    fn terminou",
    ),
    por(
        no("livro", "enquanto_o_livro_nao_abre"),
        PARADA,
        "antes do laço, um sinal não é ouvido",
        "None => std::process::exit(0),",
        "None => {}",
    ),
    // Os sinais.
    por(
        no("encerramento", "o_segundo_sinal"),
        TERMINAL,
        "o segundo sinal sai com 0",
        "register_conditional_shutdown(sinal, 130,",
        "register_conditional_shutdown(sinal, 0,",
    ),
    por(
        no("encerramento", "o_segundo_sinal"),
        TERMINAL,
        "o segundo sinal não se arma",
        "armado.store(true, Ordering::Release);",
        "armado.store(false, Ordering::Release);",
    ),
    por(
        no("servidor", "um_registro_que_passa_do_limite"),
        TERMINAL,
        "um arquivo grande demais mata o programa",
        "signal_hook::flag::register(SIGXFSZ, Arc::default()).map(drop)",
        "{ let _ = SIGXFSZ; Ok(()) }",
    ),
    por(
        no("operador", "com_nohup"),
        TERMINAL,
        "o nohup não protege do SIGHUP",
        "AoDesligar::Parar => !ignorado(SIGHUP),",
        "AoDesligar::Parar => true,",
    ),
    por(
        no("operador", "sem_registro_um_sighup"),
        TERMINAL,
        "um SIGHUP mata sem contas",
        "AoDesligar::Parar => !ignorado(SIGHUP),",
        "AoDesligar::Parar => false,",
    ),
    por(
        no("operador", "trocado_o_nome"),
        PARADA,
        "com registro, um SIGHUP encerra",
        "if tem_registro { AoDesligar",
        "if !tem_registro { AoDesligar",
    ),
    // O programa.
    por(
        no("linha_de_comando", "uma_porta_ocupada"),
        MAIN,
        "não poder servir sai com 0",
        "    voz.calar(PRAZO_DO_CONSOLE);\n    ExitCode::FAILURE\n",
        "    voz.calar(PRAZO_DO_CONSOLE);\n    ExitCode::SUCCESS\n",
    ),
    por(
        no("servidor", "pedir_mais_conexoes_do_que_cabem"),
        MAIN,
        "--max-conexoes passa dos descritores",
        "opcoes.max_conexoes.unwrap_or(cabem).min(cabem)",
        "opcoes.max_conexoes.unwrap_or(cabem)",
    ),
    por(
        no("servidor", "pedir_mais_conexoes_do_que_cabem"),
        MAIN,
        "não se diz que --max-conexoes não cabe",
        "filter(|pedidas| *pedidas > cabem)",
        "filter(|pedidas| *pedidas < cabem)",
    ),
    por(
        no("servidor", "com_poucos_descritores"),
        MAIN,
        "não sobra descritor para explicar a lotação",
        "limite.saturating_sub(folga).max(1)",
        "limite.saturating_sub(folga.min(1)).max(1)",
    ),
    por(
        no("operador", "um_ipv6_entre_colchetes"),
        MAIN,
        "os colchetes de um IPv6 não se entendem",
        "(sem_colchetes.unwrap_or(nome), porta)",
        "({ let _ = sem_colchetes; nome }, porta)",
    ),
    por(
        no("operador", "um_registro_em_uma_pasta"),
        MAIN,
        "a culpa é do arquivo, e não da pasta",
        "(ErrorKind::NotFound, Some(pasta)) =>",
        "(ErrorKind::InvalidData, Some(pasta)) =>",
    ),
    por(
        no("operador", "um_arquivo_que_ja_esta_cheio"),
        MAIN,
        "um registro já cheio não se diz",
        "    if ja_cheio {\n",
        "    if ja_cheio && opcoes.silencioso {\n",
    ),
    por(
        no("livro", "quem_nao_pode_escutar"),
        MAIN,
        "cria-se o livro antes da porta",
        "    let reservada = reservada.map_err(sem_porta)?;\n",
        "    let _ = opcoes.livro.as_deref().map(|livro| abrir_livro(livro, opcoes.estoque)).transpose()?;\n    let reservada = reservada.map_err(sem_porta)?;\n",
    ),
    por(
        no("encerramento", "ctrl_c_encerra"),
        MAIN,
        "as contas não são ditas",
        "                voz.dizer(prestar_contas(&fim));\n",
        "                let _ = prestar_contas(&fim);\n",
    ),
    por(
        no("encerramento", "ctrl_c_encerra"),
        MAIN,
        "as vendas e as recusas trocam de lugar",
        "        fim.vendas,\n        fim.recusas,\n",
        "        fim.recusas,\n        fim.vendas,\n",
    ),
];
